import math

import mpmath
import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from scipy.integrate import trapezoid
from scipy.stats import multivariate_normal

from compose_diffusion.data.distributions import (
    DISTRIBUTIONS,
    Distribution,
    GaussianMixture,
    MixtureDistribution,
    UniformBox,
    bar,
    frame,
    make_distribution,
    ring,
)
from compose_diffusion.diffusion import cosine_schedule

TILTED_COVARIANCES = torch.tensor([[[0.3, 0.1], [0.1, 0.2]], [[0.05, -0.02], [-0.02, 0.4]]], dtype=torch.float64)
TILTED = GaussianMixture([[0.5, -0.2], [-0.4, 0.3]], covariances=TILTED_COVARIANCES, weights=[1.0, 3.0])
EXAMPLES = {**{name: make_distribution(name) for name in DISTRIBUTIONS}, "tilted": TILTED}


@pytest.mark.parametrize("name", EXAMPLES)
def test_score_is_the_gradient_of_the_log_density(name, generator):
    distribution = EXAMPLES[name]
    x = torch.randn(64, 2, generator=generator, dtype=torch.float64).requires_grad_()
    for alpha_bar in (1e-6, 0.3, 0.99):
        log_density, score = distribution.noised(x, alpha_bar)
        (gradient,) = torch.autograd.grad(log_density.sum(), x)
        torch.testing.assert_close(score, gradient, rtol=1e-6, atol=1e-6)


def test_noised_gaussian_mixture_is_scipys():
    x = np.random.default_rng(0).normal(size=(50, 2))
    for alpha_bar in (0.01, 0.5, 0.999, 1.0):
        density = sum(
            weight
            * multivariate_normal(
                math.sqrt(alpha_bar) * mean.numpy(), alpha_bar * covariance.numpy() + (1 - alpha_bar) * np.eye(2)
            ).pdf(x)
            for weight, mean, covariance in zip((0.25, 0.75), TILTED.means, TILTED_COVARIANCES, strict=True)
        )
        log_density, _ = TILTED.noised(torch.tensor(x), alpha_bar)
        np.testing.assert_allclose(log_density.numpy(), np.log(density), rtol=1e-9)


@pytest.mark.parametrize("alpha_bar", [0.05, 0.5, 0.98])
def test_noised_box_is_the_numerical_convolution(alpha_bar):
    """Integrate clean density times noising Gaussian over a fine grid of clean points, axis by axis."""
    box = UniformBox([-0.2, -1.0], [0.3, 0.5])
    x = torch.tensor([[0.0, 0.0], [0.35, -0.9], [-0.8, 0.8], [1.5, 0.2]], dtype=torch.float64)
    expected = np.ones(len(x))
    for axis, (low, high) in enumerate([(-0.2, 0.3), (-1.0, 0.5)]):
        clean = np.linspace(low, high, 20001)
        gap = x[:, axis].numpy()[:, None] - math.sqrt(alpha_bar) * clean
        kernel = np.exp(-(gap**2) / (2 * (1 - alpha_bar))) / math.sqrt(2 * math.pi * (1 - alpha_bar))
        expected *= trapezoid(kernel, clean, axis=1) / (high - low)
    log_density, _ = box.noised(x, alpha_bar)
    np.testing.assert_allclose(log_density.exp().numpy(), expected, rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize("name", ["ring", "bar", "frame", "left-or-right-bar", "tilted"])
def test_noised_densities_integrate_to_one(name):
    axis = torch.linspace(-6, 6, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    for alpha_bar in (1e-4, 0.5, 0.97):
        log_density, _ = EXAMPLES[name].noised(grid, alpha_bar)
        assert float(log_density.exp().sum()) * (12 / 400) ** 2 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_finite_far_out_and_at_tiny_noise(name):
    x = torch.tensor([[50.0, 0.0], [-50.0, 50.0], [0.0, -50.0], [0.2, 1.0], [0.0, 0.0]], dtype=torch.float64)
    for alpha_bar in (1 - 1e-6, 0.5, 1e-9):
        log_density, score = EXAMPLES[name].noised(x, alpha_bar)
        assert log_density.isfinite().all()
        assert score.isfinite().all()


def test_far_out_the_box_pulls_back_as_its_nearest_edge_would():
    """Far from the edge the noised box looks Gaussian about it: score close to (edge - x) / sigma^2."""
    alpha_bar = 1 - 1e-6
    _, score = bar().noised(torch.tensor([[50.0, 0.0]], dtype=torch.float64), alpha_bar)
    assert float(score[0, 0]) == pytest.approx((0.2 * math.sqrt(alpha_bar) - 50) / 1e-6, rel=1e-6)
    assert float(score[0, 1]) == pytest.approx(0, abs=1e-12)


def test_single_precision_samples_keep_their_type(generator):
    x = torch.randn(32, 2, generator=generator)
    schedule = cosine_schedule(100)
    for t in (0, 50, 99):
        for distribution in (ring(), bar(), frame()):
            single = distribution.noised(x, float(schedule.alphas_cumprod[t]))
            double = distribution.noised(x.double(), float(schedule.alphas_cumprod[t]))
            for ours, reference in zip(single, double, strict=True):
                assert ours.dtype == torch.float32
                torch.testing.assert_close(ours.double(), reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", EXAMPLES)
def test_samples_have_the_moments_of_the_density(name, generator):
    """Moments of 20,000 samples against the score: E[score] = 0 and E[x . score] = -dim at any noised level."""
    distribution = EXAMPLES[name]
    assert isinstance(distribution, Distribution)
    clean = distribution.sample(20000, generator)
    assert clean.shape == (20000, 2)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    x = math.sqrt(0.6) * clean + math.sqrt(0.4) * noise
    _, score = distribution.noised(x, 0.6)
    for values, expected in ((score[:, 0], 0.0), (score[:, 1], 0.0), ((x * score).sum(dim=1), -2.0)):
        assert abs(float(values.mean()) - expected) < 4 * float(values.std()) / math.sqrt(len(values))


def test_clean_densities():
    assert float(bar().log_prob(torch.tensor([[0.1, 0.5]]))[0]) == pytest.approx(-math.log(0.8))
    assert float(bar().log_prob(torch.tensor([[0.3, 0.5]]))[0]) == -math.inf
    both = make_distribution("left-or-right-bar")
    assert float(both.log_prob(torch.tensor([[0.25, 0.5]]))[0]) == pytest.approx(-math.log(0.8), rel=1e-6)
    outside_hole = frame().log_prob(torch.tensor([[0.5, 0.0], [0.0, 0.0]], dtype=torch.float64))
    assert float(outside_hole[0]) == pytest.approx(-math.log(1.4**2 - 0.6**2))
    assert float(outside_hole[1]) == -math.inf
    peak = ring().log_prob(torch.tensor([[0.5, 0.0]], dtype=torch.float64))
    assert float(peak[0]) == pytest.approx(-math.log(8 * 2 * math.pi * 0.03**2))


def test_full_covariances_come_back():
    torch.testing.assert_close(TILTED.covariances, TILTED_COVARIANCES)
    torch.testing.assert_close(ring().covariances, (0.03**2 * torch.eye(2).double()).expand(8, 2, 2))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: GaussianMixture(torch.zeros(0, 2), std=1.0), "at least one component"),
        (lambda: GaussianMixture([[0.0, 0.0]], std=-1.0), "mixture std is -1.0"),
        (lambda: GaussianMixture([[0.0, 0.0]]), "exactly one of the two"),
        (lambda: GaussianMixture([[0.0, 0.0]], covariances=[[[1.0, 2.0], [2.0, 1.0]]]), "positive definite"),
        (lambda: GaussianMixture([[0.0, 0.0]], covariances=[[[1.0, 2.0], [0.0, 1.0]]]), "symmetric"),
        (lambda: GaussianMixture([[0.0, 0.0]], covariances=[[[1.0]]]), r"expected \(1, 2, 2\)"),
        (lambda: GaussianMixture([[0.0, 0.0]], std=1.0, weights=[-1.0]), "above 0"),
        (lambda: UniformBox([0.0, 0.0], [1.0, 0.0]), "low < high"),
        (lambda: UniformBox([0.0], [1.0, 1.0]), "equal length"),
        (lambda: MixtureDistribution([]), "one or more components"),
        (lambda: MixtureDistribution([bar(), UniformBox([0.0], [1.0])]), r"dimensions \[1, 2\]"),
        (lambda: make_distribution("rng"), "did you mean 'ring'"),
    ],
)
def test_bad_input_gives_one_line(build, expected):
    with pytest.raises(UsageError, match=expected) as error:
        build()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("alpha_bar", [1e-4, 0.5, 0.99, 1 - 1e-6])
def test_noised_box_is_that_of_many_digits(alpha_bar):
    """One axis against 60-digit arithmetic, from the centre through the edge to where erfc has long underflowed."""
    x = [0.0, 0.1, 0.199, 0.2, 0.21, 0.3, 1.0, 5.0, 20.0, 28.0, 50.0, -0.15, -50.0]
    log_densities, scores = [], []
    with mpmath.workdps(60):
        half, sigma = math.sqrt(alpha_bar) * mpmath.mpf(0.2), mpmath.sqrt(1 - mpmath.mpf(alpha_bar))
        for point in x:
            near, far = ((abs(point) + sign * half) / sigma for sign in (-1, 1))
            mass = (mpmath.erfc(near / mpmath.sqrt(2)) - mpmath.erfc(far / mpmath.sqrt(2))) / 2
            log_densities.append(float(mpmath.log(mass / (2 * half))))
            scores.append(float(mpmath.sign(point) * (mpmath.npdf(far) - mpmath.npdf(near)) / (sigma * mass)))
    log_density, score = UniformBox([-0.2], [0.2]).noised(torch.tensor(x, dtype=torch.float64)[:, None], alpha_bar)
    np.testing.assert_allclose(log_density.numpy(), log_densities, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(score[:, 0].numpy(), scores, rtol=1e-10, atol=1e-10)


def test_tracing_takes_the_same_values_without_branches(generator):
    """The formula that a compiler traces has its far tail for all points, and the same numbers."""
    near = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    for points in (near, torch.cat([near, 50 * near], dim=1)):
        for distribution in (bar(), frame(), TILTED):
            constants = distribution.level_constants(1 - 1e-6, points.device)
            branching = distribution.noised_rows(points, constants)
            for ours, reference in zip(
                distribution.noised_rows(points, constants, branchless=True), branching, strict=True
            ):
                torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)


def test_constants_are_remembered_up_to_a_number_of_levels(monkeypatch):
    monkeypatch.setattr("compose_diffusion.data.distributions.REMEMBERED_LEVELS", 3)
    distribution, cpu = bar(), torch.device("cpu")
    first = distribution.level_constants(0.5, cpu)
    assert distribution.level_constants(0.5, cpu) is first
    for alpha_bar in (0.1, 0.2, 0.3):
        distribution.level_constants(alpha_bar, cpu)
    again = distribution.level_constants(0.5, cpu)
    assert again is not first
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))


def test_mixtures_take_distributions_that_know_only_their_noised_density(generator):
    class Wrapped:
        dim = 2

        def __init__(self, inner):
            self.sample, self.noised, self.log_prob = inner.sample, inner.noised, inner.log_prob

    x = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    plain = MixtureDistribution([ring(), bar()], [1.0, 2.0]).noised(x, 0.7)
    wrapped = MixtureDistribution([ring(), Wrapped(bar())], [1.0, 2.0]).noised(x, 0.7)
    for ours, reference in zip(wrapped, plain, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)
