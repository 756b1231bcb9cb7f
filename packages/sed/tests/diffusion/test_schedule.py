"""The schedule against known values, and the posterior against Gaussian conditioning."""

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from sed.config import ScheduleConfig
from sed.diffusion.schedule import Schedule

KNOWN = {
    "none": {1: 0.99995872, 361: 0.70433, 500: 0.493844, 1000: 2.429e-9},
    "first": {1: 0.998, 500: 0.492876, 1000: 2.424e-9},
    "floor": {1: 0.998, 361: 0.48542, 500: 0.340352, 1000: 1.674e-9},
}


@pytest.mark.parametrize("mode", KNOWN)
def test_known_values(mode: str) -> None:
    schedule = Schedule.of(ScheduleConfig(beta_1_mode=mode))  # type: ignore[arg-type]
    for step, value in KNOWN[mode].items():
        assert schedule.alpha_bar[step] == pytest.approx(value, rel=3e-4 if step == 1000 else 1e-5)
    assert schedule.steps == 1000
    assert (np.diff(schedule.alpha_bar) < 0).all()
    assert ((schedule.beta > 0) & (schedule.beta <= 0.999 + 1e-12)).all()


def test_another_implementation() -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2")
    found = Schedule.of(ScheduleConfig(beta_1_mode="none")).alpha_bar[1:]
    np.testing.assert_allclose(found, scheduler.alphas_cumprod.numpy(), rtol=1e-4)


@pytest.mark.parametrize(("t", "t_prev"), [(1000, 999), (500, 499), (2, 1), (800, 300)])
def test_posterior_is_gaussian_conditioning(t: int, t_prev: int) -> None:
    """Precisions of the prior of x_t' given x_0 and of the likelihood of x_t add up."""
    schedule = Schedule.of(ScheduleConfig())
    now, before = schedule.alpha_bar[t], schedule.alpha_bar[t_prev]
    x_0, x_t = np.random.default_rng(0).standard_normal((2, 7))
    ratio = now / before
    precision = 1 / (1 - before) + ratio / (1 - ratio)
    expected = (np.sqrt(before) * x_0 / (1 - before) + np.sqrt(ratio) * x_t / (1 - ratio)) / precision
    found = schedule.posterior(jnp.asarray(x_0), jnp.asarray(x_t), t, t_prev)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-4, atol=1e-6)
    assert float(found.std[0]) == pytest.approx(precision**-0.5, rel=1e-5)


def test_posterior_of_the_clean_direction_and_of_the_last_step() -> None:
    schedule = Schedule.of(ScheduleConfig())
    x_0 = jnp.asarray(np.random.default_rng(0).standard_normal((3, 7)), jnp.float32)
    t = np.array([900, 500, 20])
    x_t = jnp.asarray(np.sqrt(schedule.alpha_bar[t])[:, None], jnp.float32) * x_0
    expected = np.sqrt(schedule.alpha_bar[t - 1])[:, None] * x_0
    np.testing.assert_allclose(schedule.posterior(x_0, x_t, t, t - 1).mean, expected, rtol=1e-4)
    last = schedule.posterior(x_0, 5 * x_0, 1, 0)
    np.testing.assert_array_equal(last.mean, x_0)
    assert float(last.std[0]) == 0.0


def test_steps_one_by_one_have_the_closed_form() -> None:
    """Mean and variance of eq. 1, applied t times, are those of eq. 2 (20,000 draws, 4 standard errors)."""
    schedule = Schedule.of(ScheduleConfig(steps=50))
    generator = np.random.default_rng(0)
    x = np.full(20_000, 1.5)
    for beta in schedule.beta[:30]:
        x = np.sqrt(1 - beta) * x + np.sqrt(beta) * generator.standard_normal(x.shape)
    closed = np.asarray(schedule.q_sample(jnp.full((1, 1), 1.5), jnp.array([30]), jnp.zeros((1, 1))))[0, 0]
    variance = 1 - schedule.alpha_bar[30]
    assert x.mean() == pytest.approx(closed, abs=4 * np.sqrt(variance / len(x)))
    assert x.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / len(x)))


def test_respacing() -> None:
    schedule = Schedule.of(ScheduleConfig(steps=10))
    np.testing.assert_array_equal(schedule.respaced(10), np.arange(11))
    np.testing.assert_array_equal(schedule.respaced(3), [0, 3, 7, 10])
    for steps in (0, 11):
        with pytest.raises(UsageError, match="expected 1 to 10"):
            schedule.respaced(steps)
