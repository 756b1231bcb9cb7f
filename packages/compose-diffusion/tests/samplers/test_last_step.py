"""The last step against closed forms: Gaussians, boxes, networks that predict the noise of a Gaussian exactly."""

import math

import pytest
import torch

from compose_diffusion.algebra.composition import classifier_guidance, guidance, mixture, negation
from compose_diffusion.algebra.leaves import ClassifierLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.algebra.tapestry import Region, product_of_crops
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, UniformBox, bar
from compose_diffusion.diffusion import cosine_schedule, reverse_step
from compose_diffusion.samplers.last_step import (
    anneal_to_clean,
    has_clean_target,
    mean_denoised,
    noised_target,
    total_weight,
)
from compose_diffusion.samplers.samplers import draw, draw_official

SCHEDULE = cosine_schedule(100)
ALPHA_BAR = float(SCHEDULE.alphas_cumprod[0])


def gaussian(std, mean=(0.0, 0.0), schedule=SCHEDULE):
    return ExactLeaf(GaussianMixture([list(mean)], std=std), schedule)


def exact_network(std, schedule=SCHEDULE):
    """The exact noise prediction of N(0, std^2) as a network, of which only scores are known."""

    def network(x, t):
        alpha_bar = schedule.alphas_cumprod[t].to(x)[:, None]
        return (1 - alpha_bar).sqrt() * x / (alpha_bar * std**2 + 1 - alpha_bar)

    return PredictionLeaf(network, schedule)


@pytest.mark.parametrize(
    ("kernel", "step", "dtype"),
    [
        ("hmc", 0.5, torch.float64),
        ("hmc", 0.5, torch.float32),
        ("ula", 0.3, torch.float64),
        ("mala", 0.3, torch.float64),
    ],
)
def test_a_narrow_product_has_its_variance(kernel, step, dtype, generator):
    """Two N(0, 0.05^2): as narrow as twice the lowest noise, where a step by the summed noise left 0.44 of it."""
    product = gaussian(0.05) & gaussian(0.05)
    power = 1.0 if kernel == "hmc" else 2.0
    options = SamplerOptions(
        "reverse-mcmc",
        kernel,
        steps_per_level=5,
        step_law="sigma-power",
        step_scale=step,
        step_power=power,
        first_level=9,
    )
    start = torch.randn(3000, 2, generator=generator, dtype=dtype)
    x = draw(product, SCHEDULE, start, options, generator).x
    assert x.dtype == dtype
    assert float(x.var(dim=0).mean()) / 0.00125 == pytest.approx(1.0, abs=4 / math.sqrt(3000))
    # The official last step shrinks what HMC has left at level 0, of variance v / 2, by the factor 1 - 2 sigma^2 / v.
    official = draw_official(product, SCHEDULE, start, options, generator).x
    noised = ALPHA_BAR * 0.0025 + 1 - ALPHA_BAR
    known = (1 - 2 * (1 - ALPHA_BAR) / noised) ** 2 * noised / 2 / ALPHA_BAR / 0.00125
    assert known == pytest.approx(0.4457, abs=1e-3)
    if kernel == "hmc":
        assert float(official.var(dim=0).mean()) / 0.00125 == pytest.approx(known, rel=4 / math.sqrt(3000))


@pytest.mark.parametrize("scale", [0.004, 0.03, 0.3])
def test_weights_means_and_covariances_are_those_of_the_clean_product(scale, generator):
    """From exact samples of level 0: of two rotated Gaussians and a negated one, in closed form."""
    covariances = [[[2.0, 0.9], [0.9, 1.0]], [[1.0, -0.2], [-0.2, 0.5]]]
    means = [[0.5 * scale, 0.0], [0.0, -scale]]
    one, two = (
        ExactLeaf(GaussianMixture([mean], covariances=scale**2 * torch.tensor([covariance])), SCHEDULE)
        for mean, covariance in zip(means, covariances, strict=True)
    )
    expression = negation(1.5 * one & two, gaussian(3 * scale), 0.4)

    def moments(alpha_bar):
        parts = [
            (weight, torch.linalg.inv(alpha_bar * cov + (1 - alpha_bar) * torch.eye(2).double()), alpha_bar**0.5 * mean)
            for weight, cov, mean in (
                (1.5, scale**2 * torch.tensor(covariances[0]).double(), torch.tensor(means[0]).double()),
                (1.0, scale**2 * torch.tensor(covariances[1]).double(), torch.tensor(means[1]).double()),
                (-0.4, 9 * scale**2 * torch.eye(2).double(), torch.zeros(2).double()),
            )
        ]
        covariance = torch.linalg.inv(sum(weight * precision for weight, precision, _ in parts))
        return covariance @ sum(weight * precision @ mean for weight, precision, mean in parts), covariance

    mean, covariance = moments(ALPHA_BAR)
    noise = torch.randn(4000, 2, generator=generator, dtype=torch.float64)
    x = anneal_to_clean(expression, SCHEDULE, mean + noise @ torch.linalg.cholesky(covariance).T, generator).x
    mean, covariance = moments(1.0)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), (x - mean).T, upper=False)
    assert (whitened.mean(dim=1).abs() < 5 / math.sqrt(4000)).all()
    assert ((whitened @ whitened.T / 4000 - torch.eye(2)).abs() < 5 * math.sqrt(2 / 4000)).all()


def test_a_box_is_filled_to_its_edges(generator):
    box = UniformBox([-0.1, -0.2], [0.1, 0.2])
    leaf = ExactLeaf(box, SCHEDULE)
    clean = box.sample(2000, generator)
    x = ALPHA_BAR**0.5 * clean + (1 - ALPHA_BAR) ** 0.5 * torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    assert float((x.abs() <= box.high).all(dim=1).double().mean()) < 0.92
    found = anneal_to_clean(leaf, SCHEDULE, x, generator).x
    assert float((found.abs() <= box.high).all(dim=1).double().mean()) > 0.985
    expected = torch.tensor([0.2, 0.4], dtype=torch.float64).square() / 12
    assert (found.var(dim=0) / expected - 1).abs().max() < 5 / math.sqrt(2000)


def test_the_target_at_any_noise_is_that_of_the_levels_where_both_exist(generator):
    expression = mixture([gaussian(0.3), ExactLeaf(bar(), SCHEDULE)], [math.log(0.2), math.log(0.8)]) & gaussian(0.5)
    x = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    for found, expected in zip(noised_target(expression, ALPHA_BAR)(x), expression.target(0)(x), strict=True):
        torch.testing.assert_close(found, expected)


def test_only_exact_densities_that_are_defined_have_a_clean_target():
    x = torch.zeros(3, 2, dtype=torch.float64)
    box = ExactLeaf(bar(), SCHEDULE)
    assert has_clean_target(gaussian(0.1) & box, x)
    assert has_clean_target(gaussian(0.1) | box, x)
    assert has_clean_target(1.3 * box - 0.3 * gaussian(1.0), x)
    assert not has_clean_target(1.3 * box - 0.3 * ExactLeaf(bar(0.1), SCHEDULE), x)
    assert not has_clean_target(gaussian(0.1) & exact_network(0.1), x)


def test_networks_are_denoised_once_however_many_there_are(generator):
    """From samples of a level-0 product: each of k equal factors would remove the whole noise once more."""
    start = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    options = SamplerOptions("reverse-mcmc", "ula", steps_per_level=2, step_law="sigma-power", step_scale=0.05)
    leaf = exact_network(0.05)
    result = draw(leaf & leaf, SCHEDULE, start, options, generator, keep_trajectory=True)
    noised = ALPHA_BAR * 0.0025 + 1 - ALPHA_BAR
    expected = result.trajectory[-2] * (1 - (1 - ALPHA_BAR) / noised) / ALPHA_BAR**0.5
    torch.testing.assert_close(result.x, expected)


def test_for_guidance_and_classifiers_it_is_the_usual_step_to_the_last_bit(generator):
    x = torch.randn(6, 2, generator=generator)
    rounded = SCHEDULE.to(torch.float32)
    one, two = exact_network(0.4), exact_network(0.2)
    weights = torch.eye(2)
    classified = classifier_guidance(one, ClassifierLeaf(lambda x, _: x @ weights, 1), 3.0)
    for expression in (one, guidance(one, [two], [7.3]), 2.5 * one - 1.5 * two, one | two if one.has_energy else one):
        noise = expression.evaluate(x, 0, energy=False).predicted_noise(0, rounded)
        for clip in (None, 0.2):
            expected = reverse_step(x, noise, 0, rounded, generator, clip_x0=clip)
            assert torch.equal(mean_denoised(expression, noise, x, rounded, clip), expected)
    assert total_weight(classified, x).eq(1).all()
    assert total_weight(one & two, x).eq(2).all()
    # Without a positive total weight there is no width to compare with.
    noise = torch.ones_like(x)
    expected = reverse_step(x, noise, 0, rounded, generator)
    assert torch.equal(mean_denoised(one - two, noise, x, rounded, None), expected)


def test_crops_count_where_they_are():
    leaf = PredictionLeaf(lambda x, t: x, SCHEDULE)
    crops = product_of_crops([Region(leaf, 0, 0), Region(leaf, 2, 0)], (4, 6), (4, 4))
    assert total_weight(crops, torch.zeros(2, 1, 4, 6))[0, 0, 0].tolist() == [1, 1, 2, 2, 1, 1]
