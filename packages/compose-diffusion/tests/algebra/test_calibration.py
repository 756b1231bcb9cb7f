import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.calibration import (
    LogNormalisers,
    bennett_ratio,
    calibrated_log_weights,
    estimate_log_normalisers,
)
from compose_diffusion.algebra.composition import mixture
from compose_diffusion.algebra.leaves import EnergyLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, bar
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.samplers.samplers import draw

SCHEDULE = cosine_schedule(25)


def shifted(distribution, constants):
    """An energy that knows its density up to a constant for each level, as a trained one does."""

    def energy(x, t):
        level = int(t[0])
        log_density, score = distribution.noised(x.detach(), float(SCHEDULE.alphas_cumprod[level]))
        # The value of the density with its score as gradient.
        return -(log_density + constants[level] + ((x - x.detach()) * score).sum(dim=1))

    return EnergyLeaf(energy)


CONSTANTS = torch.linspace(-3.0, 5.0, 25, dtype=torch.float64) ** 2


@pytest.mark.parametrize("dim", [2, 48])
@pytest.mark.parametrize("std", [0.05, 0.8])
def test_added_constants_are_found(dim, std, generator):
    """Exact densities plus a known constant a level: log Z_t is that constant, within 4 of its standard errors."""
    centre = torch.linspace(-0.5, 0.5, dim, dtype=torch.float64)
    distribution = GaussianMixture(torch.stack([centre, 0.3 - centre]), std=std, weights=[0.3, 0.7])
    leaf = shifted(distribution, CONSTANTS)
    found = estimate_log_normalisers(leaf, distribution.sample(1000, generator), SCHEDULE, generator)
    assert ((found.values - CONSTANTS).abs() < 4 * found.standard_errors).all()
    assert float(found.standard_errors.max()) < 0.05
    assert (found.standard_errors.diff() <= 0).all(), "errors add up from the highest level, the last, down"


def test_a_calibrated_mixture_weighs_as_asked(generator):
    """Left bar and right bar, 1 to 3, one of them with unknown constants: uncalibrated, every sample is right."""
    sides = bar(-0.2, 0.1), bar(0.2, 0.1)
    leaves = shifted(sides[0], CONSTANTS * 0), shifted(sides[1], CONSTANTS)
    normalisers = [
        estimate_log_normalisers(leaf, side.sample(400, generator), SCHEDULE, generator)
        for leaf, side in zip(leaves, sides, strict=True)
    ]
    log_weights = calibrated_log_weights(normalisers, [1.0, 3.0])
    assert log_weights.shape == (25, 2)
    x = torch.randn(600, 2, generator=generator, dtype=torch.float64)
    options = SamplerOptions(method="reverse", reverse_variance="posterior")

    def left(expression):
        return float((draw(expression, SCHEDULE, x, options, generator).x[:, 0] < 0).double().mean())

    assert left(mixture(leaves, log_weights)) == pytest.approx(0.25, abs=0.07)
    assert left(mixture(leaves)) < 0.05


def test_bennetts_ratio_of_two_gaussians(generator):
    """exp(-x^2 / 2) and exp(-(x - 1)^2 / (2 * 0.25)): the normalisers' ratio is 2; unequal sample sizes."""
    one = torch.randn(6000, generator=generator, dtype=torch.float64)
    two = 1 + 0.5 * torch.randn(2000, generator=generator, dtype=torch.float64)

    def log_ratio(x):
        return -0.5 * x.square() + 2 * (x - 1).square()

    found, error = bennett_ratio(log_ratio(one), log_ratio(two))
    assert abs(found - math.log(2)) < 3 * error
    assert 0.005 < error < 0.05
    # Its own standard error, against the spread of repetitions on a tenth of the samples each.
    parts = [bennett_ratio(log_ratio(a), log_ratio(b)) for a, b in zip(one.chunk(20), two.chunk(20), strict=True)]
    spread = torch.tensor([part for part, _ in parts]).std()
    assert float(spread) == pytest.approx(sum(error for _, error in parts) / 20, rel=0.5)


def test_equal_constants_on_both_sides_shift_the_ratio(generator):
    values = torch.randn(2, 100, generator=generator, dtype=torch.float64)
    plain, _ = bennett_ratio(values[0], values[1] - 1)
    far, _ = bennett_ratio(values[0] + 5000, values[1] + 4999)
    assert far - plain == pytest.approx(5000, abs=1e-6)


def test_bad_input_is_reported(generator):
    energy = shifted(bar(), CONSTANTS)
    score_only = PredictionLeaf(lambda x, t: x, SCHEDULE)
    x = bar().sample(20, generator)
    broken = EnergyLeaf(lambda x, t: math.nan * x.sum(dim=1))
    found = [LogNormalisers(torch.zeros(n), torch.zeros(n)) for n in (3, 4)]
    cases = [
        (lambda: estimate_log_normalisers(score_only, x, SCHEDULE, generator), "PredictionLeaf gives no log density"),
        (lambda: estimate_log_normalisers(energy, x[:7], SCHEDULE, generator), "7 clean samples, expected at least 8"),
        (lambda: estimate_log_normalisers(broken, x, SCHEDULE, generator), "20 of 20 density ratios are not finite"),
        (lambda: calibrated_log_weights([]), "0 terms with weights"),
        (lambda: calibrated_log_weights(found[:1], [0.0]), r"1 terms with weights \[0.0\]"),
        (lambda: calibrated_log_weights(found), r"normalisers have \[3, 4\] levels"),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)


def test_exact_densities_need_no_calibration(generator):
    leaf = ExactLeaf(bar(), SCHEDULE)
    found = estimate_log_normalisers(leaf, bar().sample(400, generator).float(), SCHEDULE, generator)
    assert (found.values.abs() < 4 * found.standard_errors).all()
