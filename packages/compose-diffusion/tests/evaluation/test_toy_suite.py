"""The suite's targets lie on their own supports; distances against a naive reference."""

import math

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Mixture, WeightedProduct
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import SUITE_COMPONENTS
from compose_diffusion.data.circles import make_component
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.evaluation.toy_suite import (
    SUITE,
    chamfer_distance,
    compose,
    measure,
    near_circles,
    near_crossings,
    run_task,
    suite_task,
)

NON_EMPTY = [task for task in SUITE.values() if not task.empty]


def test_nine_tasks_of_which_two_are_empty():
    assert len(SUITE) == 9
    assert [task.name for task in SUITE.values() if task.empty] == ["product-c", "negation-c"]
    assert {name for task in SUITE.values() for name in task.terms} == set(SUITE_COMPONENTS)
    assert all(task.name == name for name, task in SUITE.items())


@pytest.mark.parametrize("task", NON_EMPTY, ids=[task.name for task in NON_EMPTY])
def test_true_samples_score_full_marks(task, generator):
    x = task.target(1000, generator)
    measured = measure(task, x, seed=7)
    expected = 0.9946 if task.name in ("product-a", "mixture-a") else 1.0  # 0.9973^2 inside 3 standard deviations
    assert measured["accuracy"] == pytest.approx(expected, abs=0.009 if expected < 1 else 1e-12)
    assert measured["Chamfer distance"] < 0.07
    far = measure(task, x + 3.0, seed=7)
    assert far["accuracy"] == 0.0
    assert far["Chamfer distance"] > 1.0


@pytest.mark.parametrize("task", NON_EMPTY, ids=[task.name for task in NON_EMPTY])
def test_targets_are_where_the_terms_say(task, generator):
    """At almost no noise the composed log density of a target point exceeds that of every point off the support."""
    schedule = cosine_schedule(100)
    leaves = {name: ExactLeaf(make_component(name), schedule) for name in task.terms}
    here = task.target(300, generator)
    first = {
        "product": lambda x: sum(leaves[name].evaluate(x, 0).log_density for name in task.terms),
        "mixture": lambda x: torch.stack([leaves[n].evaluate(x, 0).log_density for n in task.terms]).amax(dim=0),
        "negation": lambda x: leaves[task.terms[0]].evaluate(x, 0).log_density,
    }[task.operator]
    elsewhere = 2 * torch.rand(2000, 2, generator=generator, dtype=torch.float64) - 1
    off = torch.tensor([task.accuracy(point[None]) == 0 for point in elsewhere[:300]])
    assert off.any()
    threshold = torch.quantile(first(here), 0.05)
    if task.operator == "negation":  # where the first term lives, minus where the second does
        assert (leaves[task.terms[1]].evaluate(here, 0).log_density < 0).float().mean() > 0.9
    else:
        assert (first(elsewhere[:300][off]) < threshold).float().mean() > 0.9


def test_expressions():
    schedule = cosine_schedule(10)
    leaves = {name: ExactLeaf(make_component(name), schedule) for name in SUITE_COMPONENTS}
    assert isinstance(compose(SUITE["mixture-a"], leaves), Mixture)
    negation = compose(SUITE["negation-b"], leaves)
    assert isinstance(negation, WeightedProduct)
    x = torch.tensor([[0.2, 0.1], [0.8, -0.3]], dtype=torch.float64)
    parts = [leaves[name].evaluate(x, 4) for name in ("suite-big-box", "suite-tall-bar")]
    evaluated = negation.evaluate(x, 4)
    torch.testing.assert_close(evaluated.score, parts[0].score - 0.5 * parts[1].score)
    torch.testing.assert_close(evaluated.log_density, parts[0].log_density - 0.5 * parts[1].log_density)


def test_empty_tasks_measure_nothing():
    assert measure(SUITE["product-c"], torch.zeros(4, 2), seed=0) == {}


def test_chamfer_distance_by_all_pairs(generator):
    x, y = torch.randn(40, 2, generator=generator), torch.randn(25, 2, generator=generator)
    there = [min(math.dist(a, b) for b in y.tolist()) for a in x.tolist()]
    back = [min(math.dist(a, b) for a in x.tolist()) for b in y.tolist()]
    expected = sum(there) / 40 + sum(back) / 25
    assert chamfer_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert chamfer_distance(x, x) == 0.0
    with pytest.raises(UsageError, match="Chamfer distance of 0 and 25 points"):
        chamfer_distance(torch.zeros(0, 2), y)


def test_circles_are_lines_and_not_disks():
    x = torch.tensor([[-0.2, 0.3], [0.5, 1.05], [-1.5, 0.05], [0.0, 1.2]])
    assert near_circles(x) == 0.5
    crossing = torch.tensor([[0.05, 0.87], [0.0, -0.95], [0.0, 0.0], [1.5, 0.0]])
    assert near_crossings(crossing) == 0.5


def test_unknown_task():
    assert suite_task("mixture-b") is SUITE["mixture-b"]
    with pytest.raises(UsageError, match="unknown suite task 'mixture-d'"):
        suite_task("mixture-d")


def test_tasks_are_sampled_and_evaluated():
    """Reverse diffusion with exact densities is right for a mixture; an empty task still returns its points."""
    schedule = cosine_schedule(40)
    leaves = {name: ExactLeaf(make_component(name), schedule) for name in SUITE_COMPONENTS}
    options = SamplerOptions(method="reverse")
    result, measured = run_task(SUITE["mixture-b"], leaves, schedule, options, 300, seed=1)
    assert measured["accuracy"] > 0.9
    assert measured["gradient evaluations"] == 40
    result, measured = run_task(SUITE["product-c"], leaves, schedule, options, 300, seed=1)
    assert result.x.shape == (300, 2)
    assert "accuracy" not in measured
