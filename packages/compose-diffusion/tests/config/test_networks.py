import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.networks import FitConfig, ScheduleConfig


def test_round_trip_through_plain_values():
    for config in (ScheduleConfig("linear", 50, 1e-3, 0.1), FitConfig(steps=7, batch_size=3)):
        assert from_dict(type(config), to_dict(config)) == config


@pytest.mark.parametrize(
    ("make", "reported"),
    [
        (lambda: from_dict(ScheduleConfig, {"kind": "cosin"}), "did you mean 'cosine'"),
        (lambda: ScheduleConfig(num_levels=0), "num_levels is 0"),
        (lambda: ScheduleConfig(kind="linear", beta_start=0.1, beta_end=0.02), "beta_start <= beta_end"),
        (lambda: FitConfig(steps=0), "steps is 0"),
        (lambda: FitConfig(batch_size=-1), "batch_size is -1"),
    ],
)
def test_wrong_values_give_one_line(make, reported):
    with pytest.raises(UsageError) as caught:
        make()
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)
