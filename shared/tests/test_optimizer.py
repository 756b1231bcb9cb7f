"""Options are validated; schedules are their closed forms (torch and optax are the oracles in the step tests)."""

import pytest

from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions


@pytest.mark.parametrize(
    "wrong", [{"lr": 0.0}, {"name": "adamm"}, {"betas": (0.9, 1.5)}, {"accumulation": 0}, {"ema_decay": 2.0}]
)
def test_options_are_validated(wrong):
    with pytest.raises(UsageError):
        OptimizerOptions(**wrong)


def test_a_schedule_with_an_end_needs_to_know_it():
    with pytest.raises(UsageError, match="needs total_steps"):
        OptimizerOptions(schedule="cosine").check_total(None)
    OptimizerOptions().check_total(None)


def test_schedules_in_closed_form():
    cosine = OptimizerOptions(lr=2.0, schedule="cosine", warmup_steps=4, final_fraction=0.1)
    assert [cosine.lr_at(step, 12) for step in range(4)] == [0.5, 1.0, 1.5, 2.0]
    assert cosine.lr_at(4, 12) == 2.0
    assert cosine.lr_at(8, 12) == pytest.approx(2.0 * 0.55)
    assert cosine.lr_at(12, 12) == cosine.lr_at(99, 12) == pytest.approx(0.2)
    linear = OptimizerOptions(lr=1.0, schedule="linear")
    assert linear.lr_at(3, 4) == 0.25
    late = OptimizerOptions(lr=1.0, schedule="linear", warmup_steps=2, decay_steps=4)
    assert [late.lr_at(step, 12) for step in (0, 1, 2, 7, 8, 9, 11, 12)] == [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.25, 0.0]
    assert late.lr_at(2, 4) == 1.0  # fewer steps than the fall has: it begins after the warm-up
    assert late.lr_at(3, 4) == 0.5
    inverse = OptimizerOptions(lr=1.0, schedule="inverse-sqrt", warmup_steps=4)
    assert [inverse.lr_at(step) for step in (3, 15, 63)] == [1.0, 0.5, 0.25]
    assert OptimizerOptions(lr=1.0, warmup_steps=2).lr_at(100) == 1.0
    warm = OptimizerOptions(ema_decay=0.99, ema_warmup=True)
    assert [warm.ema_decay_at(step) for step in (0, 10**6)] == [0.1, 0.99]
