"""The measurements give what their rules name; the closed form of X3 agrees with simulated reverse steps."""

from dataclasses import replace

import pytest
import torch
from onepaper.claims import ClaimContext

from compose_diffusion.algebra.composition import product
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.claims import CLAIMS
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.evaluation import exact_toy as exact
from compose_diffusion.experiments import exact_toy as experiments
from compose_diffusion.samplers.samplers import draw

EXACT = [claim for claim in CLAIMS if claim.measure.startswith("compose_diffusion.experiments.exact_toy")]


@pytest.fixture
def small(monkeypatch):
    """The same experiments with few samples, levels and moves, also where an experiment sets its own moves."""
    for name in ("PAPER_TOY", "LAPTOP_TOY"):
        config = replace(getattr(experiments, name), num_samples=64, num_levels=12)
        monkeypatch.setattr(
            experiments, name, replace(config, hamiltonian=replace(config.hamiltonian, first_level=None))
        )

    def draw_briefly(expression, schedule, start, options, generator):
        few = replace(options, steps_per_level=min(options.steps_per_level, 2))
        return draw(expression, schedule, start, few, generator)

    monkeypatch.setattr(exact, "draw", draw_briefly)


@pytest.fixture(scope="module")
def shared_arms():
    """Claims of one run share their arms."""
    return {}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("claim", EXACT, ids=[claim.id for claim in EXACT])
def test_evidence_has_what_the_rule_reads(claim, shared_arms):
    evidence, outcome = claim.run(ClaimContext(seeds=(0,), shared_arms=shared_arms))
    assert evidence.headline
    if claim.id != "X3":  # the only one without randomness
        assert outcome.verdict == "inconclusive", "one seed decides nothing"


def test_two_gaussians_against_simulation(generator):
    evidence = experiments.two_gaussians(ClaimContext())
    schedule = cosine_schedule(100)
    leaf = ExactLeaf(GaussianMixture([[0.0]], std=0.5), schedule)
    other = ExactLeaf(GaussianMixture([[0.0]], std=0.5), schedule)
    for kind in ("beta", "posterior"):
        options = SamplerOptions(method="reverse", reverse_variance=kind)
        start = torch.randn(40_000, 1, generator=generator, dtype=torch.float64)
        x = draw(product(leaf, other), schedule, start, options, generator).x
        expected = evidence.measurement(f"reverse variance, {kind}").mean
        assert float(x.var()) == pytest.approx(expected, rel=4 * (2 / 40_000) ** 0.5)
