import math

import pytest
import torch
from onepaper.errors import UsageError
from scipy.integrate import quad

from compose_diffusion.algebra.composition import Mixture, WeightedProduct, guidance
from compose_diffusion.algebra.leaves import ClassifierLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.data.distributions import GaussianMixture, ring
from compose_diffusion.diffusion import cosine_schedule, linear_schedule, reverse_coefficients
from compose_diffusion.samplers.feynman_kac import (
    Population,
    corrector_steps,
    effective_sample_size,
    product_factors,
    systematic_ancestors,
    weighted_scores,
)

SCHEDULE = cosine_schedule(20)


def leaf(mean=0.0, variance=0.25, schedule=SCHEDULE):
    return ExactLeaf(GaussianMixture([[mean]], std=math.sqrt(variance)), schedule)


@pytest.mark.parametrize("schedule", [cosine_schedule(100), linear_schedule(200)], ids=["cosine", "linear"])
def test_for_one_density_a_step_is_the_ancestral_step(schedule):
    steps = corrector_steps(schedule, 1.0)
    for t in range(1, len(schedule)):
        known = reverse_coefficients(schedule, t, "posterior")
        for found, expected in ((steps.current, known.current), (steps.clean, known.clean)):
            assert float(found[t]) == pytest.approx(float(expected), rel=1e-9)
        assert float(steps.variance[t]) == pytest.approx(float(known.variance), rel=1e-9)
        assert float(steps.clock[t]) == pytest.approx(-math.log(1 - float(schedule.betas[t])), rel=1e-9)
    assert (float(steps.current[0]), float(steps.clean[0]), float(steps.variance[0])) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("total", [0.5, 2.0, 3.7])
def test_steps_solve_their_equation(total):
    """dx = B (x / 2 - (x - a X) / sigma^2) du + dW with the clean estimate X held, by adaptive quadrature over u."""
    steps, abars = corrector_steps(SCHEDULE, total), SCHEDULE.alphas_cumprod
    for t in (1, 2, 10, 18):
        begin, end = -math.log(float(abars[t])), -math.log(float(abars[t - 1]))

        def kept(level, end=end):
            """exp of the integral of B (1/2 - 1 / sigma^2) from `level`, -log abar, to the end, in closed form."""
            abar, last = math.exp(-level), math.exp(-end)
            log_k = [0.5 * math.log(each) - math.log1p(-each) for each in (abar, last)]
            return math.exp(total * (log_k[0] - log_k[1]))

        # The closed form itself, against a numerical integral of the rate.
        rate = quad(lambda level: total * (0.5 - 1 / (1 - math.exp(-level))), end, begin, epsabs=1e-11)[0]
        assert kept(begin) == pytest.approx(math.exp(rate), rel=1e-7)

        def pull(level, kept=kept):
            return kept(level) * total * math.exp(-level / 2) / (1 - math.exp(-level))

        assert float(steps.current[t]) == pytest.approx(kept(begin), rel=1e-7)
        assert float(steps.clean[t]) == pytest.approx(quad(pull, end, begin, epsrel=1e-10)[0], rel=1e-7)
        spread = quad(lambda level, kept=kept: kept(level) ** 2, end, begin, epsrel=1e-10)[0]
        assert float(steps.variance[t]) == pytest.approx(spread, rel=1e-7)


def test_the_rate_makes_good_what_the_drift_misses(generator):
    """Partial differential equation of the product's log density, with derivatives by finite differences and autograd.

    At every point, d log q / du + div v + v . grad log q must equal the rate, for v = B x / 2 + S / 2.
    """
    schedule = cosine_schedule(4000)
    factors = {leaf(0.5, 0.25, schedule): 0.7, leaf(-0.3, 0.5, schedule): 1.3, leaf(0.1, 0.8, schedule): -0.4}
    product = WeightedProduct(list(factors), list(factors.values()))
    total, t = sum(factors.values()), 1500
    x = torch.randn(200, 1, generator=generator, dtype=torch.float64)
    clock = corrector_steps(schedule, total).clock
    later, earlier = (product.evaluate(x, level).log_density for level in (t + 1, t - 1))
    change = (earlier - later) / float(clock[t] + clock[t + 1])
    step = 1e-4
    here = product.evaluate(x, t).score
    bend = (product.evaluate(x + step, t).score - product.evaluate(x - step, t).score) / (2 * step)
    velocity, divergence = 0.5 * total * x + 0.5 * here, 0.5 * total + 0.5 * bend
    missing = change + (divergence + velocity * here)[:, 0]
    found = weighted_scores(factors, x, t).rate
    # No constant is left over: the mean weight is the ratio of normalisers.
    torch.testing.assert_close(found, missing, rtol=2e-3, atol=2e-3)
    assert float(found.std()) > 0.1


def test_weights_of_one_density_and_of_pure_noise_rest(generator):
    x = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    assert weighted_scores({leaf(0.4): 1.0}, x, 3).rate.abs().max() < 1e-12
    noise = leaf(0.0, 1.0)
    assert weighted_scores({noise: 1.0, leaf(0.0, 1.0): 1.4}, x, 10).rate.abs().max() < 1e-12


def test_scores_of_one_network_take_one_call():
    calls = []

    def network(x, t, condition):
        calls.append(len(x))
        return x * condition

    one, two = (PredictionLeaf(network, SCHEDULE, condition=torch.full((1, 1), value)) for value in (0.5, 0.8))
    x = torch.randn(7, 1)
    found = weighted_scores({one: 1.0, two: 2.0}, x, 4)
    assert calls == [14]
    torch.testing.assert_close(found.mean, -(0.5 + 2 * 0.8) / 3 * x / float(SCHEDULE.sigma[4]))


def test_effective_sample_size_is_its_formula():
    weights = torch.tensor([0.1, 3.0, 0.7, 0.7], dtype=torch.float64)
    expected = float(weights.sum() ** 2 / weights.square().sum())
    assert effective_sample_size(weights.log() + 700) == pytest.approx(expected)
    assert effective_sample_size(torch.zeros(9)) == pytest.approx(9)
    assert effective_sample_size(torch.tensor([-math.inf, 2.0, -math.inf])) == pytest.approx(1)


def test_systematic_resampling_is_unbiased_and_even():
    """Copies of a particle are the whole numbers next to n w, and n w on average."""
    weights = torch.tensor([0.05, 0.4, 0.25, 0.3, 0.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    counts = torch.stack(
        [torch.bincount(systematic_ancestors(weights.log(), generator), minlength=5) for _ in range(4000)]
    ).double()
    assert (counts.sum(dim=1) == 5).all()
    assert ((counts - 5 * weights).abs() < 1).all()
    assert (counts.mean(dim=0) - 5 * weights).abs().max() < 4 * 0.5 / math.sqrt(4000)
    assert (counts[:, 4] == 0).all()


def test_equal_weights_leave_the_population_as_it_is(generator):
    for count in (1, 10, 1000):
        assert torch.equal(systematic_ancestors(torch.full((count,), -3.0), generator), torch.arange(count))


def test_estimates_leave_particles_without_weight_out(generator):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [math.nan, math.nan]])
    population = Population(x, torch.tensor([0.0, math.log(3.0), -math.inf]), torch.ones(1), 0)
    torch.testing.assert_close(population.estimate(x), torch.tensor([2.5, 3.5]))
    torch.testing.assert_close(population.estimate(x[:, 0]), torch.tensor(2.5))
    assert population.resampled(generator).isfinite().all()


def test_nested_products_become_one_weight_for_each_leaf():
    a, b, c = (leaf(mean) for mean in (0.1, 0.2, 0.3))
    nested = 2.0 * (a & (0.5 * b)) - 0.25 * a
    assert product_factors(nested, SCHEDULE) == {a: 1.75, b: 1.0}
    assert product_factors(a, SCHEDULE) == {a: 1.0}
    constant = torch.full((20,), 3.0)
    assert product_factors(guidance(a, [b, c], [constant, lambda t: 0.5]), SCHEDULE) == pytest.approx(
        {a: -2.5, b: 3.0, c: 0.5}
    )
    assert product_factors(WeightedProduct([a, b, b], [1.0, 0.5, -0.5]), SCHEDULE) == {a: 1.0}


def test_what_the_corrector_cannot_follow_is_reported():
    a, b = leaf(), leaf(0.3)
    classifier = ClassifierLeaf(lambda x, t: x, 0)
    cases = [
        (lambda: product_factors(a | b, SCHEDULE), "was given a Mixture, expected a weighted product"),
        (lambda: product_factors(a & Mixture([a, b]), SCHEDULE), "was given a Mixture"),
        (lambda: product_factors(a & classifier, SCHEDULE), "was given a classifier"),
        (lambda: product_factors(a @ (lambda t: 1.0 + t), SCHEDULE), "is 1 at level 0 and 20 at level 19"),
        (lambda: product_factors(WeightedProduct([a, b], [1.0, -1.5]), SCHEDULE), "sum to -0.5, expected a sum above"),
        (lambda: systematic_ancestors(torch.full((4,), -math.inf), torch.Generator()), "all 4 weights are 0"),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)


def test_images_are_weighed_as_points_are(generator):
    flat = ExactLeaf(GaussianMixture([[0.0] * 8], std=0.5), SCHEDULE)
    shifted = ExactLeaf(GaussianMixture([[0.4] * 8], std=0.5), SCHEDULE)
    x = torch.randn(6, 8, generator=generator)
    expected = weighted_scores({flat: 1.0, shifted: 1.0}, x, 5)

    class Square(ExactLeaf):
        def evaluate(self, x, t, *, energy=True):
            found = super().evaluate(x.flatten(1), t)
            return type(found)(found.log_density, found.score.reshape(x.shape))

    squares = {Square(each.distribution, SCHEDULE): 1.0 for each in (flat, shifted)}
    found = weighted_scores(squares, x.reshape(6, 2, 2, 2), 5)
    torch.testing.assert_close(found.rate, expected.rate)
    torch.testing.assert_close(found.mean.flatten(1), expected.mean)
    assert found.rate.dtype == torch.float32


def test_the_ring_alone_keeps_its_weights(generator):
    x = torch.randn(100, 2, generator=generator, dtype=torch.float64)
    assert weighted_scores({ExactLeaf(ring(), SCHEDULE): 1.0}, x, 0).rate.abs().max() < 1e-9
