import math
from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler
from onepaper.errors import UsageError
from scipy.stats import kstest
from torch import nn

from compose_diffusion.algebra.composition import WeightedProduct, negation
from compose_diffusion.algebra.leaves import EnergyLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, bar, ring, ring_and_bar
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.mcmc.preconditioning import CovariancePreconditioner, DiagonalPreconditioner
from compose_diffusion.samplers.feynman_kac import corrector_steps, effective_sample_size
from compose_diffusion.samplers.samplers import (
    SAMPLERS,
    annealed_mcmc,
    draw,
    feynman_kac_corrector,
    reverse_diffusion,
    reverse_mcmc,
)

SCHEDULE = cosine_schedule(100)
OFFICIAL = {
    "reverse": SamplerOptions(method="reverse", reverse_variance="posterior"),
    "ula": SamplerOptions(kernel="ula", step_scale=1e-3),
    "mala": SamplerOptions(kernel="mala", step_scale=1e-3),
    "hmc": SamplerOptions(kernel="hmc"),
    "reverse-ula": SamplerOptions(method="reverse-mcmc", kernel="ula", step_scale=1e-3, reverse_variance="posterior"),
}
FKC = SamplerOptions(method="fkc", steps_per_level=0)
ROUND = DiagonalPreconditioner(torch.ones(2))
MEASURED = {
    "reverse": 0.640,
    "ula": 0.821,
    "mala": 0.719,
    "hmc": 0.891,
    "reverse-ula": 0.952,
}


def gaussian_leaf(mean, variance, schedule=SCHEDULE):
    return ExactLeaf(GaussianMixture([mean], std=math.sqrt(variance)), schedule)


def start(num_samples, generator, dim=2):
    return torch.randn(num_samples, dim, generator=generator, dtype=torch.float64)


def accuracy(x):
    modes = torch.tensor([[0.0, 0.5], [0.0, -0.5]], dtype=torch.float64)
    return float(((x[:, None] - modes).abs() <= 0.09).all(dim=2).any(dim=1).double().mean())


@pytest.fixture
def small_network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2))
    return lambda x, t: network(torch.cat([x, t[:, None].to(x.dtype) / 100], dim=1))


@pytest.mark.parametrize(("variance", "theirs"), [("beta", "fixed_large"), ("posterior", "fixed_small")])
@pytest.mark.parametrize("method", ["reverse", "reverse-mcmc"])
def test_without_mcmc_one_leaf_is_the_loop_of_diffusers_bit_for_bit(small_network, variance, theirs, method):
    reference = DDPMScheduler(100, beta_schedule="squaredcos_cap_v2", variance_type=theirs, clip_sample=False)
    leaf = 1.0 * PredictionLeaf(small_network, SCHEDULE)
    drawn, their_generator = (torch.Generator().manual_seed(5) for _ in range(2))
    x = torch.randn(32, 2, generator=their_generator)
    expected = x
    for t in reference.timesteps:
        with torch.no_grad():
            noise = small_network(expected, t.expand(32))
        expected = reference.step(noise, t, expected, generator=their_generator).prev_sample
    options = SamplerOptions(method=method, kernel="ula", steps_per_level=0, reverse_variance=variance)
    found = draw(leaf, SCHEDULE, (32, 2), options, drawn)
    assert torch.equal(found.x, expected)
    assert found.gradient_evaluations == 100
    assert found.acceptance.isnan().all()


def wrong_variance(data_variance, schedule, choice):
    """Scalar recursion of the reverse process with the sum of two scores of N(0, s^2); variance it ends in."""
    variance = 1.0
    for t in reversed(range(len(schedule))):
        abar = float(schedule.alphas_cumprod[t])
        before = float(schedule.alphas_cumprod[t - 1]) if t else 1.0
        beta = 1 - abar / before
        score_slope = -2 / (abar * data_variance + 1 - abar)
        # x_{t-1} = (x + beta * score) / sqrt(1 - beta) + noise is the ancestral step written with the score.
        variance *= ((1 + beta * score_slope) / math.sqrt(1 - beta)) ** 2
        if t:
            variance += beta if choice == "beta" else (1 - before) / (1 - abar) * beta
    return variance


# 0.0855, which is also quoted for variance beta, adds noise in the very last step, beta_0 = 0.0006.
@pytest.mark.parametrize(("choice", "known"), [("beta", 0.0849), ("posterior", 0.0725)])
def test_reverse_diffusion_of_two_gaussians_is_wrong_as_computed(choice, known, generator):
    """Claim C1 in closed form: the product of two N(0, 1/4) has variance 0.125 and the reverse process misses it."""
    expected = wrong_variance(0.25, SCHEDULE, choice)
    assert expected == pytest.approx(known, abs=5e-5)
    leaf = gaussian_leaf([0.0, 0.0], 0.25)
    options = SamplerOptions(method="reverse", reverse_variance=choice)
    found = draw(leaf & leaf, SCHEDULE, start(20000, generator), options, generator).x
    relative_error = math.sqrt(2 / found.numel())
    assert abs(float(found.square().mean()) / expected - 1) < 3 * relative_error
    assert abs(expected / 0.125 - 1) > 30 * relative_error


def test_annealed_metropolis_draws_the_composed_gaussian(generator):
    """Two Gaussians of different mean and variance: at level 0 the product of the noised ones, in closed form."""
    schedule = cosine_schedule(10)
    expression = gaussian_leaf([0.5, -0.3], 0.25, schedule) & gaussian_leaf([-0.2, 0.4], 0.5, schedule)
    abar = float(schedule.alphas_cumprod[0])
    precisions = [1 / (abar * s + 1 - abar) for s in (0.25, 0.5)]
    mean = (
        math.sqrt(abar)
        * (precisions[0] * torch.tensor([0.5, -0.3]).double() + precisions[1] * torch.tensor([-0.2, 0.4]).double())
        / sum(precisions)
    )
    for kernel, power in (("mala", 2.0), ("hmc", 1.0)):
        options = SamplerOptions(
            kernel=kernel, step_law="sigma-power", step_power=power, step_scale=0.4, steps_per_level=15, num_leapfrog=2
        )
        if kernel == "mala":
            options = replace(options, step_law="constant", step_scale=0.15)
        x = draw(expression, schedule, start(4000, generator), options, generator).x
        error = math.sqrt(1 / sum(precisions) / len(x))
        assert ((x.mean(dim=0) - mean).abs() < 4 * error).all()
        assert (x.var(dim=0) * sum(precisions) - 1).abs().max() < 4 * math.sqrt(2 / len(x))


def test_annealed_metropolis_draws_a_gaussian_negation(generator):
    schedule = cosine_schedule(10)
    wide, narrow = gaussian_leaf([0.0, 0.0], 0.2, schedule), gaussian_leaf([0.3, 0.0], 0.8, schedule)
    abar = float(schedule.alphas_cumprod[0])
    precisions = [1 / (abar * 0.2 + 1 - abar), -0.5 / (abar * 0.8 + 1 - abar)]
    mean_x = math.sqrt(abar) * 0.3 * precisions[1] / sum(precisions)
    options = SamplerOptions(kernel="hmc", step_scale=0.25, steps_per_level=10)
    x = draw(negation(wide, narrow, 0.5), schedule, start(4000, generator), options, generator).x
    assert abs(float(x[:, 0].mean()) - mean_x) < 4 * math.sqrt(1 / sum(precisions) / len(x))
    assert abs(float(x.var(dim=0).mean()) * sum(precisions) - 1) < 4 / math.sqrt(len(x))


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_settings_reach_their_measured_accuracy(name, generator):
    """Product of ring and bar with exact scores (C1 to C3): the reference table, within 0.03 and sampling error."""
    expression = ExactLeaf(ring(), SCHEDULE) & ExactLeaf(bar(), SCHEDULE)
    found = draw(expression, SCHEDULE, start(500, generator), OFFICIAL[name], generator)
    assert accuracy(found.x) == pytest.approx(MEASURED[name], abs=0.03 + 2 * math.sqrt(0.2 / 500))
    assert found.non_finite == 0
    if name == "mala":  # nearly every move passes except close to level 0
        assert float(found.acceptance.mean()) == pytest.approx(0.995, abs=0.003)
        assert float(found.acceptance[0]) == pytest.approx(0.74, abs=0.03)


def test_true_samples_reach_their_accuracy(generator):
    assert accuracy(ring_and_bar().sample(20000, generator)) == pytest.approx(0.9946, abs=0.002)


def test_a_window_limits_the_levels_of_mcmc(generator):
    leaf = gaussian_leaf([0.0, 0.0], 0.25)
    options = SamplerOptions(kernel="mala", step_scale=1e-3, steps_per_level=2, first_level=30, last_level=1)
    for method, reverse_steps in (("annealed", 0), ("reverse-mcmc", 100), ("fkc", 160)):
        found = draw(leaf, SCHEDULE, start(10, generator), replace(options, method=method), generator)
        ran = torch.nonzero(~found.acceptance.isnan())[:, 0].tolist()
        assert ran == list(range(1, 31))
        # A level costs its first evaluation and one a move; ancestral steps from those levels reuse the last one. The
        # corrector needs the scores apart, before the moves and after them.
        assert found.gradient_evaluations == 30 * 3 + max(0, reverse_steps - 30)


@pytest.mark.parametrize(("kernel", "per_move"), [("ula", 1), ("mala", 1), ("uhmc", 4), ("hmc", 4)])
def test_gradient_evaluations_are_those_that_happened(kernel, per_move, generator):
    calls, counts = [], {}

    def energy(x, t):
        calls.append(len(x))
        return 0.5 * x.square().sum(dim=1)

    schedule = cosine_schedule(6)
    for method in ("fkc", "annealed", "reverse", "reverse-mcmc"):
        calls.clear()
        options = SamplerOptions(method=method, kernel=kernel, steps_per_level=3, num_leapfrog=4, step_scale=0.01)
        found = draw(EnergyLeaf(energy), schedule, start(5, generator), options, generator)
        assert len(calls) == found.gradient_evaluations
        counts[method] = found.gradient_evaluations
    assert counts["reverse"] == 6
    assert counts["annealed"] == 6 * (1 + 3 * per_move)
    assert counts["reverse-mcmc"] == 1 + 5 * (1 + 3 * per_move)
    assert counts["fkc"] == 1 + 5 * (2 + 1 + 3 * per_move)


def test_momentum_may_be_kept_from_level_to_level(generator):
    """Without refreshment a kept momentum is never drawn again, so that both choices use different random numbers."""
    leaf = gaussian_leaf([0.0, 0.0], 0.25)
    options = SamplerOptions(kernel="uhmc", damping=1.0, step_scale=0.01, steps_per_level=1, num_leapfrog=1)
    x = start(10, generator)
    kept, fresh = (
        annealed_mcmc(leaf, SCHEDULE, x, replace(options, momentum=momentum), torch.Generator().manual_seed(1)).x
        for momentum in ("kept", "per-level")
    )
    assert not torch.equal(kept, fresh)
    # 100 leapfrog steps of 0.01 along one momentum cover about unit length, a random walk a tenth of that.
    assert float((kept - x).norm(dim=1).mean()) > 3 * float((fresh - x).norm(dim=1).mean())


@pytest.mark.parametrize("sampler", [reverse_diffusion, annealed_mcmc, reverse_mcmc, feynman_kac_corrector])
def test_runs_repeat_report_and_keep_their_type(sampler, generator):
    schedule = cosine_schedule(12)
    leaf = gaussian_leaf([0.0, 0.0], 0.25, schedule)
    x = start(8, generator).float()
    seen = []
    options = SamplerOptions(steps_per_level=1)
    one, two = (
        sampler(
            leaf & leaf,
            schedule,
            x,
            options,
            torch.Generator().manual_seed(4),
            keep_trajectory=True,
            progress=lambda *values: seen.append(values),
        )
        for _ in range(2)
    )
    assert torch.equal(one.x, two.x)
    assert one.x.dtype == torch.float32
    assert one.trajectory.shape == (13, 8, 2)
    assert torch.equal(one.trajectory[0], x / math.sqrt(2) if one.population else x)
    assert torch.equal(one.trajectory[-1], one.population.x if one.population else one.x)
    assert seen[:12] == [(t, 12 - t, 12) for t in reversed(range(12))]


def test_images_are_sampled_as_points_are(generator):
    def energy(x, t):
        return 0.5 * x.square().flatten(1).sum(dim=1)

    options = SamplerOptions(method="reverse-mcmc", kernel="hmc", steps_per_level=2, clip_x0=1.0)
    found = draw(EnergyLeaf(energy) & EnergyLeaf(energy), cosine_schedule(10), (4, 3, 8, 8), options, generator)
    assert found.x.shape == (4, 3, 8, 8)
    assert found.x.abs().max() <= 1 + 1e-6


def test_nan_energies_are_counted_and_left_out(generator):
    def energy(x, t):
        return torch.where(x[:, 0] > 1.5, math.nan, 0.5 * x.square().sum(dim=1))

    x = start(300, generator).clamp(max=1.0)
    found = draw(EnergyLeaf(energy), cosine_schedule(10), x, SamplerOptions(step_scale=0.3), generator)
    assert found.non_finite > 0
    assert (found.x[:, 0] <= 1.5).all()


def test_score_only_models_pass_a_metropolis_test_by_line_integral(generator):
    schedule = cosine_schedule(10)
    leaf = PredictionLeaf(lambda x, t: schedule.sigma[int(t[0])] * x / 0.5, schedule)
    options = SamplerOptions(kernel="hmc", step_scale=0.8, line_points=3, steps_per_level=10)
    x = draw(leaf, schedule, start(4000, generator), options, generator).x
    assert abs(float(x.square().mean()) / 0.5 - 1) < 4 * math.sqrt(2 / x.numel())


def product_of_gaussians(means, variances, weights):
    """Mean and variance of the normalised product of Gaussian powers."""
    precisions = [weight / variance for weight, variance in zip(weights, variances, strict=True)]
    mean = sum(precision * mean for precision, mean in zip(precisions, means, strict=True)) / sum(precisions)
    return mean, 1 / sum(precisions)


PRODUCTS = {
    "two": ((0.5, -0.3), (0.8, 0.5), (1.0, 1.0)),
    "three, one negated": ((0.5, -0.3, 0.1), (0.5, 0.6, 0.9), (0.5, 1.3, -0.3)),
    "guidance": ((0.2, 0.1), (0.6, 0.5), (-2.0, 3.0)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_corrector_draws_the_product(name, generator):
    """Weighted moments within 3 standard errors of the exact product's, with scores only."""
    means, variances, weights = PRODUCTS[name]
    schedule = cosine_schedule(300)

    def network(mean, variance):
        abars = schedule.alphas_cumprod

        def predicted(x, t):
            abar = float(abars[int(t[0])])
            return math.sqrt(1 - abar) * (x - math.sqrt(abar) * mean) / (abar * variance + 1 - abar)

        return PredictionLeaf(predicted, schedule)

    models = [network(mean, variance) for mean, variance in zip(means, variances, strict=True)]
    expression = WeightedProduct(models, weights)
    found = draw(expression, schedule, start(2000, generator, 1), FKC, generator)
    mean, variance = product_of_gaussians(means, variances, weights)
    population = found.population
    count = float(population.ess.min())
    assert abs(float(population.estimate(population.x)[0]) - mean) < 3 * math.sqrt(variance / count)
    spread = float(population.estimate((population.x - mean).square())[0])
    assert abs(spread / variance - 1) < 3 * math.sqrt(2 / count)
    # Every fourth only: copies of one particle stand next to one another.
    standardised = (found.x[::4, 0] - mean) / math.sqrt(variance)
    assert kstest(standardised.numpy(), "norm").pvalue > 1e-3
    assert found.gradient_evaluations == 300


def test_mean_weights_are_ratios_of_normalisers(generator):
    """Integral of q1 q2 at level 0 over that of pure noise, N(x; 0, 1)^2: both are Gaussian integrals."""
    schedule = cosine_schedule(200)
    expression = gaussian_leaf([0.6], 0.3, schedule) & gaussian_leaf([-0.4], 0.5, schedule)
    found = draw(expression, schedule, start(4000, generator, 1), FKC, generator).population
    abar = float(schedule.alphas_cumprod[0])
    spread = abar * (0.3 + 0.5) + 2 * (1 - abar)
    exact = -0.5 * (math.log(2 * math.pi * spread) + abar * 1.0**2 / spread) + 0.5 * math.log(2 * math.pi * 2)
    estimated = float(found.log_weights.logsumexp(dim=0)) - math.log(4000)
    assert estimated == pytest.approx(exact, abs=0.04)
    assert abs(exact) > 0.1


def corrected_variance(variance, num_levels):
    """Two leaves N(0, variance): the weighted population stays Gaussian, so its variance is a recursion over levels."""
    schedule = cosine_schedule(num_levels)
    steps = corrector_steps(schedule, 2.0)
    abars = schedule.alphas_cumprod.tolist()
    noised = [abar * variance + 1 - abar for abar in abars]
    found = 0.5
    for t in reversed(range(1, num_levels)):
        # Half of the trapezoid each: log w = -r x^2, r = (1 / v - 1 / v^2) du / 2 from 2 s (x + s), s = -x / v.
        before, after = (0.5 * float(steps.clock[t]) * (1 / v - 1 / v**2) for v in (noised[t], noised[t - 1]))
        found = 1 / (1 / found + 2 * before)
        clean = (1 - (1 - abars[t]) / noised[t]) / math.sqrt(abars[t])
        factor = float(steps.current[t]) + float(steps.clean[t]) * clean
        found = factor**2 * found + float(steps.variance[t])
        found = 1 / (1 / found + 2 * after)
    return found * ((1 - (1 - abars[0]) / noised[0]) / math.sqrt(abars[0])) ** 2


def test_the_corrector_errs_by_the_time_step_as_computed(generator):
    found = draw(
        gaussian_leaf([0.0], 0.25, cosine_schedule(40)) & gaussian_leaf([0.0], 0.25, cosine_schedule(40)),
        cosine_schedule(40),
        start(20000, generator, 1),
        FKC,
        generator,
    ).population
    expected = corrected_variance(0.25, 40)
    assert float(found.estimate(found.x.square())[0]) == pytest.approx(expected, rel=3 * math.sqrt(2 / 15000))
    errors = [corrected_variance(0.25, levels) / 0.125 - 1 for levels in (40, 1000, 2000)]
    assert abs(errors[0]) > 0.1
    # First order: twice the levels, half the error.
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_steps_after_each_level_take_the_step_error_away(generator):
    schedule = cosine_schedule(20)
    expression = gaussian_leaf([0.5], 0.25, schedule) & gaussian_leaf([-0.3], 0.25, schedule)
    options = replace(FKC, kernel="hmc", steps_per_level=3, step_law="sigma-power", step_scale=0.6)
    found = draw(expression, schedule, start(8000, generator, 1), options, generator)
    abar = float(schedule.alphas_cumprod[0])
    noised = abar * 0.25 + 1 - abar
    # The last step shrinks by the clean estimate's slope, sqrt(abar) s^2 / v.
    expected = noised / 2 * (math.sqrt(abar) * 0.25 / noised) ** 2
    population = found.population
    mean = population.estimate(population.x)
    assert float(population.estimate((population.x - mean).square())[0]) == pytest.approx(
        expected, rel=3 * math.sqrt(2 / 6000)
    )
    assert abs(corrected_variance(0.25, 20) / expected - 1) > 0.1
    assert (found.acceptance[:-1] > 0.5).all()


def test_one_density_alone_is_the_reverse_process(generator):
    leaf = ExactLeaf(ring(), SCHEDULE)
    x = start(300, generator)
    corrected = draw(leaf, SCHEDULE, x, FKC, torch.Generator().manual_seed(2))
    plain = draw(leaf, SCHEDULE, x, OFFICIAL["reverse"], torch.Generator().manual_seed(2))
    torch.testing.assert_close(corrected.population.x, plain.x, rtol=1e-9, atol=1e-9)
    assert corrected.population.log_weights.abs().max() < 1e-8
    assert corrected.population.num_resamplings == 0
    torch.testing.assert_close(corrected.population.ess, torch.full((100,), 300.0, dtype=torch.float64))
    assert torch.equal(corrected.x, corrected.population.x)


def test_the_threshold_decides_when_to_resample(generator):
    expression = ExactLeaf(ring(), SCHEDULE) & ExactLeaf(bar(), SCHEDULE)
    x = start(300, generator)
    found = {
        threshold: draw(expression, SCHEDULE, x, replace(FKC, ess_threshold=threshold), generator).population
        for threshold in (0.0, 0.5, 1.0)
    }
    assert found[0.0].num_resamplings == 0
    assert 1 <= found[0.5].num_resamplings < 20
    assert found[1.0].num_resamplings > 90
    assert int((found[0.5].ess < 150).sum()) == found[0.5].num_resamplings
    assert float(found[0.0].ess[0]) == pytest.approx(effective_sample_size(found[0.0].log_weights))
    assert found[1.0].log_weights.unique().numel() == 1


def test_particles_without_a_finite_score_lose_their_weight(generator):
    schedule = cosine_schedule(10)

    def network(x, t):
        return torch.where((t[:, None] < 6) & (x > 0.8), math.nan, x)

    leaf, other = PredictionLeaf(network, schedule), PredictionLeaf(lambda x, t: x, schedule)
    found = draw(leaf & other, schedule, start(200, generator, 1), FKC, generator)
    assert found.non_finite > 0
    assert found.x.isfinite().all()
    broken = PredictionLeaf(lambda x, t: math.nan * x, schedule)
    with pytest.raises(UsageError, match="all 10 weights are 0"):
        draw(broken & other, schedule, start(10, generator, 1), FKC, generator)


@pytest.mark.parametrize("method", ["annealed", "reverse-mcmc", "fkc"])
def test_preconditioned_runs_are_plain_runs_in_other_units(method, generator):
    """Scales equal to s at every level are a longer step: h s^2 for Langevin, h s for leapfrog."""
    schedule = cosine_schedule(5)
    expression = gaussian_leaf([0.1, 0.2], 0.25, schedule) & gaussian_leaf([0.3, -0.2], 0.5, schedule)
    x = start(20, generator)
    scale = torch.full((2,), 0.3**2, dtype=torch.float64)
    forms = [DiagonalPreconditioner(scale), [CovariancePreconditioner(scale.diag())] * 5]
    for kernel, step, plain_step in (("mala", 0.02, 0.02 * 0.09), ("hmc", 0.1, 0.1 * 0.3)):
        options = SamplerOptions(method=method, kernel=kernel, step_scale=step, steps_per_level=2)
        plain = replace(options, step_scale=plain_step)
        expected = draw(expression, schedule, x, plain, torch.Generator().manual_seed(6))
        for preconditioning in forms:
            seeded = torch.Generator().manual_seed(6)
            found = draw(expression, schedule, x, options, seeded, preconditioning=preconditioning)
            torch.testing.assert_close(found.x, expected.x)
            assert found.gradient_evaluations == expected.gradient_evaluations
            torch.testing.assert_close(found.acceptance, expected.acceptance, equal_nan=True)


@pytest.mark.parametrize("method", SAMPLERS)
def test_the_last_step_adds_no_noise(method, generator):
    """One level of data at a point: whatever the method, nothing random comes after the step to clean data."""
    schedule = cosine_schedule(1)
    point = PredictionLeaf(lambda x, t: (x - schedule.alphas_cumprod[0] ** 0.5 * 0.7) / schedule.sigma[0], schedule)
    options = SamplerOptions(method=method, kernel="ula", steps_per_level=0)
    found = draw(point, schedule, start(5, generator), options, generator).x
    if method == "annealed":  # no step at all: it ends at level 0
        return
    torch.testing.assert_close(found, torch.full_like(found, 0.7))


@pytest.mark.parametrize("points", range(2, 11))
@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_line_integrals_of_any_number_of_points_keep_a_gaussian(points, kernel, generator):
    """Linear scores: the trapezoid rule is exact, so the decisions are those of the energy, one by one."""
    schedule = cosine_schedule(3)
    leaf = gaussian_leaf([0.2, 0.1], 0.25, schedule)
    options = SamplerOptions(kernel=kernel, step_scale=0.3, steps_per_level=4)
    x = start(50, generator)
    with_energy = draw(leaf, schedule, x, options, torch.Generator().manual_seed(3))
    by_line = draw(leaf, schedule, x, replace(options, line_points=points), torch.Generator().manual_seed(3))
    torch.testing.assert_close(by_line.x, with_energy.x)
    assert by_line.gradient_evaluations == with_energy.gradient_evaluations + 3 * 4 * (points - 2)
    assert 0.2 < float(with_energy.acceptance.min()) < 0.999


def test_bad_input_is_reported_before_sampling(generator, small_network):
    leaf = gaussian_leaf([0.0, 0.0], 0.25)
    x = start(4, generator)
    score_only = PredictionLeaf(small_network, SCHEDULE)
    cases = [
        (lambda: draw(leaf, cosine_schedule(50), x, SamplerOptions(), generator), "made for 100 noise levels"),
        (lambda: draw(score_only, SCHEDULE, x, SamplerOptions(), generator), "PredictionLeaf does not give"),
        (lambda: draw(leaf & score_only, SCHEDULE, x, SamplerOptions(kernel="mala"), generator), "line_points"),
        (
            lambda: draw(leaf, SCHEDULE, x, SamplerOptions(step_law="table", step_table=(0.1,)), generator),
            "step table has 1 entries",
        ),
        (lambda: draw(leaf, SCHEDULE, x, SamplerOptions(first_level=100), generator), "first_level is 100"),
        (lambda: draw(leaf, SCHEDULE, x, SamplerOptions(last_level=100), generator), "last_level is 100"),
        (lambda: draw(leaf | leaf, SCHEDULE, x, FKC, generator), "was given a Mixture"),
        (
            lambda: draw(leaf & leaf, SCHEDULE, x, replace(FKC, steps_per_level=1, first_level=100), generator),
            "first_level is 100",
        ),
        (
            lambda: draw(leaf, SCHEDULE, x, OFFICIAL["reverse"], generator, preconditioning=ROUND),
            "method 'reverse' was given a preconditioner",
        ),
        (
            lambda: draw(leaf, SCHEDULE, x, SamplerOptions(), generator, preconditioning=[ROUND]),
            "1 preconditioners for 100 levels",
        ),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)
