import math
import sys
import warnings

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Evaluation, Leaf, guidance, mixture, negation, product
from compose_diffusion.algebra.leaves import ClassifierLeaf, EnergyLeaf, ExactLeaf, PredictionLeaf
from compose_diffusion.algebra.tapestry import Region, Tapestry
from compose_diffusion.data.distributions import GaussianMixture, bar, centred_box, ring
from compose_diffusion.diffusion import cosine_schedule

SCHEDULE = cosine_schedule(20)
A = ExactLeaf(ring(std=0.1), SCHEDULE)
B = ExactLeaf(bar(), SCHEDULE)
C = ExactLeaf(GaussianMixture([[0.3, 0.1]], covariances=[[[0.3, 0.1], [0.1, 0.2]]]), SCHEDULE)
LEVELS = (0, 7, 19)


@pytest.fixture
def x(generator):
    return 0.7 * torch.randn(32, 2, generator=generator, dtype=torch.float64)


def assert_same(one, other, x, constant=False):
    for t in LEVELS:
        left, right = one.evaluate(x, t), other.evaluate(x, t)
        shift = (left.log_density - right.log_density).mean() if constant else 0.0
        torch.testing.assert_close(left.log_density - shift, right.log_density)
        torch.testing.assert_close(left.score, right.score)


class CountingLeaf(Leaf):
    """A standard normal that counts how often it is asked."""

    has_energy = True

    def __init__(self):
        self.calls = 0

    def evaluate(self, x, t, *, energy=True):
        self.calls += 1
        return Evaluation(-0.5 * x.square().sum(dim=1), -x)


class ScoreOnlyLeaf(Leaf):
    has_energy = False

    def evaluate(self, x, t, *, energy=True):
        return Evaluation(None, -x)


def test_every_operator_is_its_formula(x):
    """Log densities put together by hand, leaf by leaf; scores by autograd through that formula."""
    floor, scale = 0.05, 1.7
    cases = {
        "product": (A & B, lambda a, b, c: a + b),
        "weighted": (1.3 * A - 0.3 * B, lambda a, b, c: 1.3 * a - 0.3 * b),
        "mixture": (A | B | C, lambda a, b, c: torch.logaddexp(torch.logaddexp(a, b), c) - math.log(3)),
        "weighed mixture": (
            mixture([A, B], [math.log(0.9), math.log(0.1)]),
            lambda a, b, c: torch.log(0.9 * a.exp() + 0.1 * b.exp()),
        ),
        "tempering": (A @ 2.5, lambda a, b, c: 2.5 * a),
        "guidance": (guidance(C, [A, B], [2.0, 3.0]), lambda a, b, c: c + 2 * (a - c) + 3 * (b - c)),
        "negation": (negation(A, B, 0.4), lambda a, b, c: a - 0.4 * b),
        "floored": (negation(A, B, scale, floor=floor), lambda a, b, c: a - scale * torch.log(b.exp() + floor)),
        "nested": (
            ((A | B) @ 1.5) & negation(C, A, 0.5, floor=floor),
            lambda a, b, c: 1.5 * (torch.logaddexp(a, b) - math.log(2)) + c - 0.5 * torch.log(a.exp() + floor),
        ),
    }
    for name, (expression, formula) in cases.items():
        for t in LEVELS:
            inputs = x.clone().requires_grad_()
            alpha_bar = float(SCHEDULE.alphas_cumprod[t])
            expected = formula(*(leaf.distribution.noised(inputs, alpha_bar)[0] for leaf in (A, B, C)))
            (gradient,) = torch.autograd.grad(expected.sum(), inputs)
            found = expression.evaluate(x, t)
            torch.testing.assert_close(found.log_density, expected.detach(), msg=lambda m, n=name: f"{n}: {m}")
            torch.testing.assert_close(found.score, gradient, rtol=1e-6, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def test_operator_identities(x):
    assert_same(A & B, B & A, x)
    assert_same((A & B) & C, A & (B & C), x)
    assert_same((A & B) & C, product(A, B, C), x)
    assert_same((A | B) | C, A | (B | C), x)
    assert_same(A | A, A, x)
    assert_same(negation(A, B, 0.0), A, x)
    assert_same(negation(A, B, 0.0, floor=0.1), A, x)
    assert_same(guidance(A, [B], [1.0]), B, x)
    assert_same(guidance(A, [B, C], [0.0, 0.0]), A, x)
    assert_same(A + B - B, A, x)
    assert_same((A @ 2.0) @ 0.5, A, x)
    assert_same(2 * A, A & A, x)
    assert_same(mixture([A, B], [0.0, 0.0]), mixture([A, B]), x, constant=True)


def test_gaussian_leaves_compose_to_the_gaussian_of_closed_form(x):
    """Product of N(m_i, S_i)^w_i: precisions add with their weights, at every level with noised moments."""
    means = [torch.tensor([0.4, -0.2]).double(), torch.tensor([-0.3, 0.1]).double(), torch.tensor([0.1, 0.6]).double()]
    covariances = [torch.tensor([[s, c], [c, 0.5]]).double() for s, c in ((0.3, 0.1), (0.8, -0.2), (1.5, 0.3))]
    leaves = [
        ExactLeaf(GaussianMixture(mean[None], covariances=covariance[None]), SCHEDULE)
        for mean, covariance in zip(means, covariances, strict=True)
    ]
    weights = (1.0, 2.0, -0.2)
    expression = 1.0 * leaves[0] + 2.0 * leaves[1] - 0.2 * leaves[2]
    for t in LEVELS:
        abar = float(SCHEDULE.alphas_cumprod[t])
        precisions = [torch.linalg.inv(abar * s + (1 - abar) * torch.eye(2).double()) for s in covariances]
        precision = sum(w * p for w, p in zip(weights, precisions, strict=True))
        linear = sum(w * p @ m * abar**0.5 for w, p, m in zip(weights, precisions, means, strict=True))
        expected = torch.distributions.MultivariateNormal(
            torch.linalg.solve(precision, linear), precision_matrix=precision
        )
        found = expression.evaluate(x, t)
        difference = found.log_density - expected.log_prob(x)
        torch.testing.assert_close(difference, difference[:1].expand(32))
        torch.testing.assert_close(found.score, linear - x @ precision)


def test_division_is_a_weight_below_one(x):
    assert_same((A & B) / 2, 0.5 * (A & B), x)
    assert_same(A / 4 | 3 * A / 4, A, x)
    with pytest.raises(UsageError, match="divided by 0"):
        A / 0


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (A & B, "ExactLeaf(GaussianMixture) & ExactLeaf(UniformBox)"),
        (1.3 * A - 0.3 * B, "1.3 * ExactLeaf(GaussianMixture) + -0.3 * ExactLeaf(UniformBox)"),
        ((A | B) & C, "(ExactLeaf(GaussianMixture) | ExactLeaf(UniformBox)) & ExactLeaf(GaussianMixture)"),
        (0.25 * A | B, "0.25 * ExactLeaf(GaussianMixture) | ExactLeaf(UniformBox)"),
        (A @ (lambda t: 2.0), "w(t) * ExactLeaf(GaussianMixture)"),
        (
            negation(A, B, 0.5, floor=0.1),
            "negation(ExactLeaf(GaussianMixture), ExactLeaf(UniformBox), 0.5, floor=0.1)",
        ),
        (ScoreOnlyLeaf(), "ScoreOnlyLeaf()"),
        (PredictionLeaf(torch.nn.Linear(2, 2), SCHEDULE), "PredictionLeaf(Linear)"),
    ],
)
def test_expressions_show_their_formula(expression, shown):
    assert repr(expression) == shown


def test_networks_move_with_the_expression():
    network, classifier = torch.nn.Linear(2, 2), torch.nn.Linear(2, 3)
    guided = PredictionLeaf(network, SCHEDULE) & ClassifierLeaf(classifier.forward, 1)
    canvas = Tapestry([Region(PredictionLeaf(network, SCHEDULE), 0, 0)], (4, 4), (4, 4))
    assert guided.to("meta") is guided
    assert network.weight.device.type == classifier.weight.device.type == "meta"
    assert canvas.networks == [network]


def test_each_distinct_leaf_is_evaluated_once(x):
    leaf, other = CountingLeaf(), CountingLeaf()
    expression = (leaf | other) & leaf & (leaf @ 2.0) & negation(other, leaf, 0.1)
    evaluation = expression.evaluate(x, 3)
    assert (leaf.calls, other.calls) == (1, 1)
    assert expression.leaves() == [leaf, other]
    # The same normal everywhere: 1 + 1 + 2 + (1 - 0.1) times its score.
    torch.testing.assert_close(evaluation.score, -4.9 * x)


def test_weights_may_change_with_the_level_and_vanish(x):
    leaf, other = CountingLeaf(), CountingLeaf()
    table = torch.linspace(0, 1, 20)
    for expression in (leaf + other * table, leaf + other * (lambda t: float(table[t]))):
        other.calls = 0
        torch.testing.assert_close(expression.evaluate(x, 0).score, -x)
        assert other.calls == 0
        torch.testing.assert_close(expression.evaluate(x, 19).score, -2 * x)
        assert other.calls == 1
    per_level = torch.log(torch.tensor([[0.5, 0.5]] * 19 + [[1.0, 1e-30]]))
    weighed = mixture([A, B], per_level)
    torch.testing.assert_close(weighed.evaluate(x, 19).score, A.evaluate(x, 19).score)
    torch.testing.assert_close(weighed.evaluate(x, 3).score, (A | B).evaluate(x, 3).score)


def test_the_official_mixture_is_an_expression(x):
    """-LSE(-3.5 f_i) scaled by 1 / sigma afterwards: unscaled energies, tempered, mixed, tempered by level."""
    energies = [lambda x, t: (x - 0.3).square().sum(dim=1), lambda x, t: (x + 0.3).square().sum(dim=1)]
    left, right = (EnergyLeaf(energy) for energy in energies)
    expression = mixture([left @ 3.5, right @ 3.5], [0.0, 0.0]) @ (1 / SCHEDULE.sigma)
    expected = torch.logsumexp(torch.stack([-3.5 * energy(x, 5) for energy in energies]), dim=0) / SCHEDULE.sigma[5]
    torch.testing.assert_close(expression.evaluate(x, 5).log_density, expected)


def test_energies_are_left_out_where_they_are_not_needed(x):
    assert (A & B).evaluate(x, 3, energy=False).log_density is None
    assert (A & ScoreOnlyLeaf()).evaluate(x, 3).log_density is None
    assert not (A & ScoreOnlyLeaf()).has_energy
    torch.testing.assert_close((A | B).evaluate(x, 3, energy=False).score, (A | B).evaluate(x, 3).score)
    floored = negation(ScoreOnlyLeaf(), B, 1.0, floor=0.1)
    assert not floored.has_energy
    assert floored.evaluate(x, 3).log_density is None


def test_a_floor_keeps_boxes_from_being_pushed_out():
    """Outside both boxes plain negation points outwards close to level 0, the floored one inwards."""
    schedule = cosine_schedule(100)
    big, small = (ExactLeaf(centred_box(width), schedule) for width in (0.7, 0.3))
    x = torch.tensor([[0.75, 0.75]], dtype=torch.float64)
    assert (1.3 * big - 0.3 * small).evaluate(x, 0).score[0, 0] > 0
    assert negation(big, small, 0.3, floor=1e-2).evaluate(x, 0).score[0, 0] < 0


def test_mixtures_of_scores_are_refused_with_the_reason():
    network = PredictionLeaf(lambda x, t: x, SCHEDULE)
    for build in (lambda: network | A, lambda: mixture([A, A & network]), lambda: negation(A, network, 1.0, floor=0.1)):
        with pytest.raises(UsageError, match=r"PredictionLeaf.*has only a score.*depends on"):
            build()


@pytest.mark.parametrize("strength", [1.0, 1.5])
def test_improper_negations_warn(strength):
    with pytest.warns(UserWarning, match="expected a sum above 0"):
        negation(A, B, strength)
    with pytest.warns(UserWarning, match="expected a sum above 0"):
        A * torch.linspace(1, 2, 20) - strength * B


def test_proper_negations_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        negation(A, B, 0.9)
        negation(A, B, 2.0, floor=0.1)
        _ = 1.3 * A - 0.3 * B


def test_shapes_that_do_not_fit_are_reported(x):
    wrong_score = PredictionLeaf(lambda x, t: x[:, :1], SCHEDULE)
    wrong_energy = EnergyLeaf(lambda x, t: x.square())
    wrong_classes = ClassifierLeaf(lambda x, t: x, 2)

    class WrongLeaf(ScoreOnlyLeaf):
        def evaluate(self, x, t, *, energy=True):
            return Evaluation(None, -x[:, :1])

    for leaf, expected in (
        (wrong_score, r"network gave shape \(32, 1\)"),
        (wrong_energy, r"energy gave shape \(32, 2\)"),
        (wrong_classes, "label 2, expected"),
        (WrongLeaf(), r"score of shape \(32, 1\)"),
    ):
        with pytest.raises(UsageError, match=expected):
            (leaf & A).evaluate(x, 0)
    with pytest.raises(UsageError, match=r"expected \[batch, 2\]"):
        A.evaluate(torch.zeros(3, 5), 0)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: product(), "at least one term"),
        (lambda: mixture([]), "mixture of 0 terms"),
        (lambda: mixture([A, B], [0.0]), r"expected \[2\]"),
        (lambda: guidance(A, [], []), "at least one conditional"),
        (lambda: A * math.nan, "expected a finite number"),
        (lambda: A * torch.zeros(3, 3), r"expected \[levels\]"),
        (lambda: negation(A, B, 1.0, floor=0.0), "negation floor is 0.0"),
        (lambda: PredictionLeaf(lambda x, t: x, SCHEDULE, "epsilon"), "did you mean 'eps'"),
    ],
)
def test_bad_compositions_are_refused(build, expected):
    with pytest.raises(UsageError, match=expected):
        build()


def test_negation_as_a_factor(x):
    assert_same(A & ~B, negation(A, B, 0.3), x)
    assert_same(~B & A, A - 0.3 * B, x)
    assert_same(A & C & ~B, A + C - 0.3 * B, x)
    assert_same((A & ~B) & ~C, A - 0.3 * B - 0.3 * C, x)
    assert_same(A & ~(B | C), A - 0.3 * mixture([B, C]), x)
    with pytest.warns(UserWarning, match="sum to -0.2"):
        _ = A & ~(B @ 4.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ~A | B,
        lambda: A | ~B,
        lambda: ~A & ~B,
        lambda: A + ~B,
        lambda: (A & C) + ~B,
        lambda: (A & C) - ~B,
        lambda: A - ~B,
        lambda: ~A + B,
        lambda: ~A - B,
        lambda: 0.5 * ~A,
        lambda: ~A * 0.5,
        lambda: ~A @ 2.0,
        lambda: ~~A,
    ],
)
def test_a_negation_needs_something_wanted(build):
    with pytest.raises(UsageError, match=r"expected a & ~b") as caught:
        build()
    assert "\n" not in str(caught.value)


def test_mixing_weights_stand_in_front_of_terms(x):
    def weighed(*weights):
        return mixture([A, B, C][: len(weights)], [math.log(weight) for weight in weights])

    assert_same(0.7 * A | 0.3 * B, weighed(0.7, 0.3), x)
    assert_same(2 * A | B, weighed(2 / 3, 1 / 3), x)
    assert_same(0.2 * A | 0.3 * B | 0.5 * C, weighed(0.2, 0.3, 0.5), x)
    assert_same(0.2 * A | (0.3 * B | 0.5 * C), weighed(0.2, 0.3, 0.5), x)
    assert_same(0.5 * (A | B) | 0.5 * C, weighed(0.25, 0.25, 0.5), x)
    assert_same(3 * A | 3 * B, A | B, x)
    assert_same(0.7 * A @ 2.0 | 0.3 * B, mixture([A @ 2.0, B], [math.log(0.7), math.log(0.3)]), x)
    assert_same(A @ 0.7 | B, mixture([A @ 0.7, B]), x)
    # Given log weights stay as they are: this mixture is a term of the other one.
    assert_same(weighed(0.2, 0.8) | C, mixture([weighed(0.2, 0.8), C]), x)


@pytest.mark.parametrize("weight", [0, -0.5, torch.ones(20), lambda t: 1.0])
def test_mixing_weights_are_positive_numbers(weight):
    with pytest.raises(UsageError, match=r"expected a number above 0 in front of a term of \|"):
        weight * A | B


def test_leaves_come_from_diffusers_by_name(monkeypatch):
    asked = {}

    class Models:
        @staticmethod
        def from_diffusers(model, **options):
            asked.update(options, model=model)
            return A

    monkeypatch.setitem(sys.modules, "compose_diffusion.pretrained", Models)
    assert Leaf.from_diffusers("folder", prompt="a cube") is A
    assert asked == {"model": "folder", "prompt": "a cube"}
