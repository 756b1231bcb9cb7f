import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import negation
from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, bar, centred_box, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.samplers.samplers import draw
from compose_diffusion.samplers.validity import check_proper, diverged, divergence, exact_factors

SCHEDULE = cosine_schedule(20)


def gaussian(std, mean=(0.0, 0.0)):
    return ExactLeaf(GaussianMixture([list(mean)], std=std), SCHEDULE)


def test_a_negation_narrower_than_its_base_is_refused_before_it_runs_away(generator):
    """Weights 1 and -0.9: precision 1 / 0.5^2 - 0.9 / s^2 > 0 for s above 0.474."""
    for method in ("reverse", "annealed", "reverse-mcmc"):
        with pytest.raises(UsageError, match=r"precision -.* at noise level 0.*weaken"):
            draw(negation(gaussian(0.5), gaussian(0.3), 0.9), SCHEDULE, (4, 2), SamplerOptions(method), generator)
    check_proper(negation(gaussian(0.5), gaussian(0.48), 0.9), SCHEDULE)
    with pytest.raises(UsageError, match="at noise level 0"):
        check_proper(negation(gaussian(0.5), gaussian(0.47), 0.9), SCHEDULE)


def test_one_direction_is_enough():
    flat = ExactLeaf(GaussianMixture([[0.0, 0.0]], covariances=[[[1.0, 0.0], [0.0, 0.01]]]), SCHEDULE)
    check_proper(gaussian(0.5) - 0.2 * gaussian(0.5, (1.0, 0.0)), SCHEDULE)
    with pytest.raises(UsageError, match="precision"):
        check_proper(gaussian(0.5) - 0.2 * flat, SCHEDULE)


def test_boxes_have_the_precision_of_the_noise():
    check_proper(ExactLeaf(centred_box(0.7), SCHEDULE) - 0.3 * ExactLeaf(centred_box(0.3), SCHEDULE), SCHEDULE)
    with pytest.raises(UsageError, match="precision"):
        check_proper(gaussian(0.5) - 0.3 * ExactLeaf(bar(), SCHEDULE), SCHEDULE)


def test_what_has_no_single_precision_is_not_checked():
    network = PredictionLeaf(lambda x, t: x, SCHEDULE)
    two_widths = ExactLeaf(GaussianMixture([[0.0], [1.0]], covariances=[[[1.0]], [[2.0]]]), SCHEDULE)
    for expression in (network, network & gaussian(1.0), gaussian(1.0) | gaussian(0.1), two_widths):
        assert exact_factors(expression, 0) == {}
        check_proper(expression, SCHEDULE)
    both = ExactLeaf(ring(), SCHEDULE)
    assert exact_factors(2.0 * both - 0.5 * both, 0) == {both: 1.5}


def test_a_run_that_diverges_names_level_and_quantity(generator):
    def grows(x, t):
        return -x * torch.where(t == 7, 1e9, 0.0).to(x)[:, None]

    for method in ("reverse", "reverse-mcmc"):
        options = SamplerOptions(method, "ula", steps_per_level=0)
        with pytest.raises(
            UsageError, match=r"5 of 5 samples x are as large as .* after the step at level 7 \(13 of 20\)"
        ):
            draw(PredictionLeaf(grows, SCHEDULE), SCHEDULE, (5, 2), options, generator)


@pytest.mark.parametrize("method", ["reverse", "reverse-mcmc"])
def test_a_network_with_a_weight_that_is_not_finite_gives_no_samples(method, generator):
    leaf = PredictionLeaf(lambda x, t: x * math.nan, SCHEDULE)
    with pytest.raises(UsageError, match="3 of 3 samples x are not finite after the step at level 19"):
        draw(leaf, SCHEDULE, (3, 2), SamplerOptions(method, "ula", steps_per_level=1), generator)


def test_divergence_in_words():
    x = torch.zeros(3, 4, 2)
    assert not diverged(x)
    x[0, 1, 0] = torch.inf
    assert diverged(x)
    assert "1 of 4 samples x are not finite at the start" in divergence(x)
    assert diverged(torch.tensor([1e7]))


@pytest.mark.parametrize("count", [0, -1])
def test_samples_are_counted_from_one(count, generator):
    with pytest.raises(UsageError, match=f"number of samples is {count}, expected"):
        draw(gaussian(1.0), SCHEDULE, (count, 2), SamplerOptions(), generator)


def test_steps_are_whole(generator):
    with pytest.raises(UsageError, match=r"num_leapfrog is 1.5, expected an integer"):
        draw(gaussian(1.0), SCHEDULE, (2, 2), SamplerOptions(num_leapfrog=1.5), generator)
    with pytest.raises(UsageError, match=r"start has dtype torch.int64, expected"):
        draw(gaussian(1.0), SCHEDULE, torch.zeros(2, 2, dtype=torch.int64), SamplerOptions(), generator)
