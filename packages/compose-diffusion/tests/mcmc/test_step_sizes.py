import pytest
from hypothesis import given
from hypothesis import strategies as st
from onepaper.errors import UsageError

from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.mcmc.step_sizes import (
    BetaPowerStep,
    ConstantStep,
    SigmaPowerStep,
    TableStep,
    step_size_rule,
)

SCHEDULE = cosine_schedule(50)


@given(t=st.integers(0, 49), scale=st.floats(1e-4, 10.0), power=st.floats(0.0, 3.0))
def test_laws_are_their_formulas(t, scale, power):
    beta, sigma = float(SCHEDULE.betas[t]), float(SCHEDULE.sigma[t])
    assert ConstantStep(scale)(t, SCHEDULE) == scale
    assert BetaPowerStep(scale, power)(t, SCHEDULE) == pytest.approx(scale * beta**power)
    assert SigmaPowerStep(scale, power)(t, SCHEDULE) == pytest.approx(scale * sigma**power)


def test_sigma_law_defaults_to_the_square():
    assert SigmaPowerStep(0.3)(7, SCHEDULE) == pytest.approx(0.3 * (1 - float(SCHEDULE.alphas_cumprod[7])))


def test_options_name_their_law():
    assert step_size_rule(SamplerOptions(step_scale=0.2)) == ConstantStep(0.2)
    assert step_size_rule(SamplerOptions(step_law="beta-power", step_scale=2.0)) == BetaPowerStep(2.0, 1.0)
    options = SamplerOptions(step_law="sigma-power", step_scale=2.0, step_power=2.0)
    assert step_size_rule(options) == SigmaPowerStep(2.0, 2.0)
    assert step_size_rule(SamplerOptions(step_law="table", step_table=(0.1,) * 50)) == TableStep((0.1,) * 50)


def test_a_table_is_read_by_level_and_must_fit_the_schedule():
    table = TableStep(tuple(0.01 * (level + 1) for level in range(50)))
    assert table(49, SCHEDULE) == pytest.approx(0.5)
    with pytest.raises(UsageError, match="50 entries for a schedule of 20 levels"):
        table(0, cosine_schedule(20))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ConstantStep(-1e-3),
        lambda: ConstantStep(0.0),
        lambda: BetaPowerStep(0.0),
        lambda: BetaPowerStep(1.0, -1.0),
        lambda: SigmaPowerStep(float("inf")),
        lambda: TableStep((0.1, -0.1)),
    ],
)
def test_bad_steps_are_refused(build):
    with pytest.raises(UsageError, match="expected a number"):
        build()
