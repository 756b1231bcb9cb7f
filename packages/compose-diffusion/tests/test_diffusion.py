import math

import pytest
import torch
from diffusers import DDPMScheduler
from onepaper.errors import UsageError

from compose_diffusion.diffusion import (
    NoiseSchedule,
    add_noise,
    at_level,
    clean_from_noise,
    cosine_schedule,
    linear_schedule,
    noise_from_prediction,
    noise_from_score,
    reverse_coefficients,
    reverse_step,
    score_from_noise,
)

DIFFUSERS_VARIANCE = {"beta": "fixed_large", "posterior": "fixed_small"}


def test_cosine_schedule_values_are_the_formula():
    schedule = cosine_schedule(100)

    def alpha_bar(u):
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2

    expected = torch.tensor([alpha_bar((t + 1) / 100) for t in range(99)], dtype=torch.float64)
    torch.testing.assert_close(schedule.alphas_cumprod[:99], expected, rtol=1e-10, atol=0)
    assert float(schedule.betas[99]) == 0.999
    assert schedule.betas.dtype == torch.float64


def test_float32_schedules_are_those_of_diffusers_bit_for_bit():
    for num_levels in (10, 100, 1000):
        reference = DDPMScheduler(num_levels, beta_schedule="squaredcos_cap_v2")
        ours = cosine_schedule(num_levels).to(torch.float32)
        assert torch.equal(ours.betas, reference.betas)
        assert torch.equal(ours.alphas_cumprod, reference.alphas_cumprod)
    reference = DDPMScheduler(1000, beta_schedule="linear")
    torch.testing.assert_close(linear_schedule(1000).betas.float(), reference.betas)


def test_sigma_and_log_snr():
    schedule = linear_schedule(20, 0.01, 0.3)
    torch.testing.assert_close(schedule.sigma.square() + schedule.alphas_cumprod, torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(schedule.log_snr, (schedule.alphas_cumprod / schedule.sigma.square()).log())
    assert (schedule.log_snr.diff() < 0).all()


def test_respaced_schedule_keeps_levels_and_maps_back_to_them():
    full = cosine_schedule(1000)
    short = full.respace(100)
    assert len(short) == 100
    assert torch.equal(short.alphas_cumprod, full.alphas_cumprod[9::10])
    torch.testing.assert_close(torch.cumprod(1 - short.betas, dim=0), short.alphas_cumprod)
    assert full.nearest_levels(short).tolist() == list(range(9, 1000, 10))
    assert full.respace(1000).same_levels(full)
    assert not full.same_levels(short)


def test_added_noise_has_the_moments_of_the_level(generator):
    schedule = cosine_schedule(50)
    x0, noise = (torch.randn(6, 3, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    t = torch.tensor([0, 3, 10, 25, 40, 49])
    together = add_noise(x0, noise, t, schedule)
    for index, level in enumerate(t.tolist()):
        abar = float(schedule.alphas_cumprod[level])
        expected = math.sqrt(abar) * x0[index] + math.sqrt(1 - abar) * noise[index]
        torch.testing.assert_close(together[index], expected)
        alone = add_noise(x0[index : index + 1], noise[index : index + 1], level, schedule)
        torch.testing.assert_close(alone[0], expected)


def test_every_prediction_kind_states_the_same_noise(generator):
    schedule = cosine_schedule(40)
    x0, noise = (torch.randn(5, 2, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    for t in (0, 20, 38, torch.tensor([0, 7, 20, 30, 38])):
        x = add_noise(x0, noise, t, schedule)
        torch.testing.assert_close(clean_from_noise(noise, x, t, schedule), x0)
        root_abar, sigma = at_level(schedule.alphas_cumprod**0.5, t, x), at_level(schedule.sigma, t, x)
        velocity = root_abar * noise - sigma * x0
        for kind, prediction in (("eps", noise), ("v", velocity), ("x0", x0)):
            torch.testing.assert_close(noise_from_prediction(prediction, x, t, schedule, kind), noise)
        torch.testing.assert_close(noise_from_score(score_from_noise(noise, t, schedule), t, schedule), noise)


def test_score_of_known_noise_is_that_of_the_noising_gaussian(generator):
    schedule = cosine_schedule(40)
    x0, noise = (torch.randn(4, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    x = add_noise(x0, noise, 17, schedule).requires_grad_()
    abar = schedule.alphas_cumprod[17]
    gaussian = torch.distributions.Normal(abar.sqrt() * x0, (1 - abar).sqrt())
    (expected,) = torch.autograd.grad(gaussian.log_prob(x).sum(), x)
    torch.testing.assert_close(score_from_noise(noise, 17, schedule), expected)


def test_reverse_coefficients_are_gaussian_conditioning():
    """q(x_{t-1} | x_t, x_0) from the joint Gaussian of (x_{t-1}, x_t) given x_0, by conditioning it."""
    schedule = cosine_schedule(30)
    for t in range(1, 30):
        beta, before = float(schedule.betas[t]), float(schedule.alphas_cumprod[t - 1])
        variance_before = 1 - before
        covariance = math.sqrt(1 - beta) * variance_before
        variance_now = (1 - beta) * variance_before + beta
        gain = covariance / variance_now
        coefficients = reverse_coefficients(schedule, t, "posterior")
        assert float(coefficients.current) == pytest.approx(gain, rel=1e-9)
        assert float(coefficients.clean) == pytest.approx(
            math.sqrt(before) * (1 - gain * math.sqrt(1 - beta)), rel=1e-9
        )
        assert float(coefficients.variance) == pytest.approx(variance_before - gain * covariance, rel=1e-9)
        assert float(reverse_coefficients(schedule, t, "beta").variance) == pytest.approx(beta, rel=1e-9)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_each_reverse_step_is_that_of_diffusers_bit_for_bit(variance):
    reference = DDPMScheduler(
        100, beta_schedule="squaredcos_cap_v2", variance_type=DIFFUSERS_VARIANCE[variance], clip_sample=False
    )
    schedule = cosine_schedule(100).to(torch.float32)
    drawn = torch.Generator().manual_seed(1)
    ours_generator, their_generator = (torch.Generator().manual_seed(2) for _ in range(2))
    for t in reversed(range(100)):
        x, noise = (torch.randn(16, 3, generator=drawn) for _ in range(2))
        theirs = reference.step(noise, t, x, generator=their_generator).prev_sample
        ours = reverse_step(x, noise, t, schedule, ours_generator, variance=variance)
        assert torch.equal(ours, theirs), f"level {t}"


def test_clipping_bounds_the_clean_estimate_as_diffusers_does():
    reference = DDPMScheduler(100, beta_schedule="squaredcos_cap_v2", variance_type="fixed_small", clip_sample=True)
    schedule = cosine_schedule(100).to(torch.float32)
    x, noise = (torch.randn(16, 3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    for t in (99, 50, 0):
        theirs = reference.step(noise, t, x, generator=torch.Generator().manual_seed(2)).prev_sample
        ours = reverse_step(x, noise, t, schedule, torch.Generator().manual_seed(2), variance="posterior", clip_x0=1.0)
        assert torch.equal(ours, theirs)


def test_half_precision_samples_stay_half_precision(generator):
    x = torch.randn(4, 2, generator=generator).bfloat16()
    schedule = cosine_schedule(10).to(torch.float32)
    stepped = reverse_step(x, x, 5, schedule, torch.Generator().manual_seed(0))
    assert stepped.dtype == torch.bfloat16
    assert stepped.isfinite().all()


@pytest.mark.parametrize(
    ("betas", "expected"),
    [([], "at least one"), ([0.1, 1.5], "between 0 and 1"), ([0.0, 0.1], "between 0 and 1")],
)
def test_bad_schedules_are_refused(betas, expected):
    with pytest.raises(UsageError, match=expected):
        NoiseSchedule.from_betas(torch.tensor(betas, dtype=torch.float64))


def test_bad_choices_are_refused(generator):
    schedule = cosine_schedule(10)
    with pytest.raises(UsageError, match="num_levels is 11"):
        schedule.respace(11)
    with pytest.raises(UsageError, match="num_levels is 0"):
        cosine_schedule(0)
