"""Compositions of networks against formulas written out; errors and lower bound against closed forms."""

import math
from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Mixture
from compose_diffusion.algebra.leaves import EnergyLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import ToyNetworkConfig
from compose_diffusion.data.distributions import GaussianMixture, frame, ring_and_bar
from compose_diffusion.diffusion import clean_from_noise, cosine_schedule, reverse_coefficients
from compose_diffusion.evaluation.learned_toy import (
    TERMS,
    compose,
    denoising_errors,
    load_leaves,
    measure,
    network_leaf,
    official_mixture,
    run_task,
)
from compose_diffusion.models.toy import make_network

SCHEDULE = cosine_schedule(100)
SMALL = ToyNetworkConfig(width=8, num_blocks=1, time_dim=4)


def some_network(seed, form="dae"):
    network = make_network(replace(SMALL, form=form)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network


@pytest.fixture
def leaves():
    names = [name for terms in TERMS.values() for name in terms]
    return {name: network_leaf(some_network(seed), SCHEDULE) for seed, name in enumerate(names)}


def test_energies_and_scores_become_leaves(generator):
    x = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    energy, score = some_network(0), some_network(0, "score")
    t = torch.full((4,), 30)
    sigma = float(SCHEDULE.sigma[30])
    leaf = network_leaf(energy, SCHEDULE)
    assert isinstance(leaf, EnergyLeaf)
    evaluation = leaf.evaluate(x, 30)
    torch.testing.assert_close(evaluation.log_density, -energy(x, t) / sigma)
    torch.testing.assert_close(evaluation.score, -energy.noise(x, t) / sigma)
    leaf = network_leaf(score, SCHEDULE)
    assert isinstance(leaf, PredictionLeaf)
    torch.testing.assert_close(leaf.evaluate(x, 30).score, -score(x, t) / sigma)


def test_compositions_written_out(leaves, generator):
    x = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    level = 40
    parts = {name: leaf.evaluate(x, level) for name, leaf in leaves.items()}

    def log(name):
        return parts[name].log_density

    expected = {
        "product": log("ring") + log("bar"),
        "mixture": torch.log((log("left-bar").exp() + log("right-bar").exp()) / 2),
        "negation": 1.3 * log("big-box") - 0.3 * log("small-box"),
    }
    for task, value in expected.items():
        torch.testing.assert_close(compose(task, leaves, SCHEDULE).evaluate(x, level).log_density, value)
    assert isinstance(compose("mixture", leaves, SCHEDULE), Mixture)


def test_official_mixture_written_out(leaves, generator):
    """Density and score of the notebook's formula, the score by autograd."""
    x = torch.randn(6, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    level, sigma = 40, float(SCHEDULE.sigma[40])
    energies = [leaves[name].network(x, torch.full((6,), level)) for name in TERMS["mixture"]]
    value = torch.log(sum(torch.exp(-3.5 * f) for f in energies)) / sigma
    (gradient,) = torch.autograd.grad(value.sum(), x)
    evaluation = compose("mixture", leaves, SCHEDULE, mixture_form="official").evaluate(x.detach(), level)
    torch.testing.assert_close(evaluation.log_density, value.detach())
    torch.testing.assert_close(evaluation.score, gradient)
    with pytest.raises(UsageError, match="inverse_temperature is 0"):
        official_mixture([leaves["bar"]], SCHEDULE, 0.0)


def test_measures(generator):
    product = measure("product", ring_and_bar().sample(500, generator), seed=1)
    assert product["accuracy"] > 0.97
    assert abs(product["MMD^2"]) < 0.01
    negation = measure("negation", frame().sample(500, generator), seed=1)
    assert negation["inside"] == 1.0
    assert abs(negation["MMD^2"]) < 0.01
    assert measure("negation", torch.zeros(5, 2), seed=1)["inside"] == 0.0
    assert measure("mixture", torch.tensor([[-0.2, 0.5], [0.2, -0.5], [0.0, 0.0]]), seed=1)["inside"] == pytest.approx(
        2 / 3
    )


def test_errors_of_the_exact_prediction_in_closed_form():
    """For N(0, s^2 I) the noise given x has variance abar s^2 / (abar s^2 + 1 - abar) on each axis."""
    std = 0.4
    gaussian = GaussianMixture([[0.0, 0.0]], std=std)
    found = denoising_errors(ExactLeaf(gaussian, SCHEDULE), gaussian, SCHEDULE, points_per_level=4000, seed=3)
    signal = SCHEDULE.alphas_cumprod * std**2
    expected = 2 * signal / (signal + 1 - SCHEDULE.alphas_cumprod)
    # A sum of two squares of normals has a standard deviation as large as its mean.
    assert ((found.errors - expected).abs() <= 5 * expected / 4000**0.5 + 1e-6).all()
    assert found.loss == pytest.approx(float(expected.mean()) / 2, rel=0.01)
    assert found.second_moment == pytest.approx(2 * std**2, rel=0.02)


def test_lower_bound_is_the_sum_of_divergences():
    """Every term from its definition: Gaussian divergences of the reverse steps, prior, decoder."""
    schedule = cosine_schedule(12)
    leaf = network_leaf(some_network(3).float(), schedule)
    gaussian = GaussianMixture([[0.3, -0.2]], std=0.4)
    count = 50
    found = denoising_errors(leaf, gaussian, schedule, points_per_level=count, seed=3)
    generator = torch.Generator().manual_seed(3)
    total = 0.0
    for t in range(12):
        clean = gaussian.sample(count, generator, torch.float32)
        noise = torch.randn(clean.shape, generator=generator)
        alpha_bar = float(schedule.alphas_cumprod[t])
        x = math.sqrt(alpha_bar) * clean + math.sqrt(1 - alpha_bar) * noise
        estimate = clean_from_noise(leaf.evaluate(x, t).noise, x, t, schedule)
        if t == 0:
            variance = (1 - alpha_bar) / alpha_bar
            squared = (clean - estimate).square().sum(dim=1) / variance
            total += float((-squared / 2 - math.log(2 * math.pi * variance)).mean())
            continue
        step, true_variance = (reverse_coefficients(schedule, t, kind) for kind in ("beta", "posterior"))
        mean, mean_true = (float(step.clean) * point for point in (estimate, clean))
        model, truth = (
            torch.distributions.Normal(m, float(s.variance) ** 0.5)
            for m, s in ((mean, step), (mean_true, true_variance))
        )
        total -= float(torch.distributions.kl_divergence(truth, model).sum(dim=1).mean())
    alpha_bar = float(schedule.alphas_cumprod[-1])
    variance = 1 - alpha_bar
    prior = (2 * variance + alpha_bar * found.second_moment - 2 - 2 * math.log(variance)) / 2
    assert found.elbo == pytest.approx(total - prior, rel=1e-4)


def test_lower_bound_nears_the_negative_entropy():
    """With exact predictions and many levels little is lost; a bound stays below."""
    gaussian = GaussianMixture([[0.0, 0.0]], std=0.4)
    negative_entropy = -math.log(2 * math.pi * math.e * 0.4**2)
    schedule = cosine_schedule(400)
    found = denoising_errors(ExactLeaf(gaussian, schedule), gaussian, schedule, points_per_level=1000, seed=1)
    assert negative_entropy - 0.1 < found.elbo < negative_entropy + 0.02


def test_equal_seeds_give_equal_points():
    leaf, gaussian = network_leaf(some_network(1).float(), SCHEDULE), GaussianMixture([[0.0, 0.0]], std=0.4)
    first, again, other = (
        denoising_errors(leaf, gaussian, SCHEDULE, points_per_level=20, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(first.errors, again.errors)
    assert not torch.equal(first.errors, other.errors)
    with pytest.raises(UsageError, match="points_per_level is 0"):
        denoising_errors(leaf, gaussian, SCHEDULE, points_per_level=0)


def test_leaves_from_a_run_folder(tmp_path):
    network = make_network(SMALL)
    network.save_pretrained(tmp_path / "ring")
    found = load_leaves(tmp_path, ["ring"], SCHEDULE)
    assert isinstance(found["ring"], EnergyLeaf)
    with pytest.raises(UsageError, match="is no folder, expected one with config.json"):
        load_leaves(tmp_path, ["bar"], SCHEDULE)


def test_what_does_not_fit_is_refused(leaves):
    with pytest.raises(UsageError, match="unknown task 'sum'|task is 'sum'|unknown value 'sum'"):
        compose("sum", leaves, SCHEDULE)
    with pytest.raises(UsageError, match="mixture_form"):
        compose("mixture", leaves, SCHEDULE, mixture_form="other")
    scores = {name: network_leaf(some_network(0, "score"), SCHEDULE) for name in TERMS["mixture"]}
    with pytest.raises(UsageError, match="has only a score"):
        compose("mixture", scores, SCHEDULE)


def test_tasks_run_with_scores_by_line_integrals(leaves):
    options = SamplerOptions(kernel="hmc", steps_per_level=1, num_leapfrog=2, first_level=3)
    scores = {name: network_leaf(some_network(0, "score").float(), SCHEDULE) for name in TERMS["product"]}
    result, measured = run_task("product", scores, SCHEDULE, options, 20, seed=2)
    # At each of four levels: the first score, two leapfrog steps, the middle of the line.
    assert measured["gradient evaluations"] == 4 * (1 + 2 + 1)
    assert {"accuracy", "MMD^2", "acceptance"} <= measured.keys()
    again, _ = run_task("product", scores, SCHEDULE, options, 20, seed=2)
    assert torch.equal(result.x, again.x)
