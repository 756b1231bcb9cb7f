import shutil
import warnings
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch._inductor.exc
from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import WeightedProduct, guidance, mixture, negation, product
from compose_diffusion.algebra.leaves import ExactLeaf, PredictionLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import GaussianMixture, UniformBox, bar, frame, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.mcmc.kernels import FusingTarget, draw_momentum, hmc, init_state, mala, uhmc, ula
from compose_diffusion.samplers import compilation as module
from compose_diffusion.samplers.compilation import compiled
from compose_diffusion.samplers.samplers import draw

SCHEDULE = cosine_schedule(12)
RING, BAR, FRAME = (ExactLeaf(distribution, SCHEDULE) for distribution in (ring(), bar(), frame()))
TILTED = ExactLeaf(
    GaussianMixture([[0.5, -0.2], [-0.4, 0.3]], covariances=[[[0.3, 0.1], [0.1, 0.2]], [[0.05, -0.02], [-0.02, 0.4]]]),
    SCHEDULE,
)
EXPRESSIONS = {
    "leaf": TILTED,
    "product": product(RING, BAR),
    "mixture": mixture([RING & BAR, FRAME], [-1.0, -2.0]),
    "guidance": guidance(FRAME, [RING, BAR], [2.0, 0.5]),
    "floored": negation(TILTED, BAR, 0.7, floor=0.1),
    "twice": product(RING @ 0.5, RING | TILTED),
}


def traced(graph, **options):
    """In place of torch.compile: what is traced runs as it is, without seconds of C++ for every case."""
    return graph


@pytest.fixture
def points(generator):
    far = torch.tensor([[50.0, 0.0], [-50.0, 50.0], [0.0, -50.0], [0.2, 1.0], [0.0, 0.0]], dtype=torch.float64)
    return torch.cat([torch.randn(59, 2, generator=generator, dtype=torch.float64), far])


def assert_same(fast, plain, x, t):
    ours, reference = fast.evaluate(x, t), plain.evaluate(x, t)
    assert ours.log_density.dtype == ours.score.dtype == x.dtype
    assert ours.score.is_contiguous()
    rtol = 1e-10 if x.dtype == torch.float64 else 1e-5
    torch.testing.assert_close(ours.log_density, reference.log_density, rtol=rtol, atol=rtol)
    torch.testing.assert_close(ours.score, reference.score, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_traced_expressions_are_the_expressions(name, points, monkeypatch):
    monkeypatch.setattr(torch, "compile", traced)
    fast = compiled(EXPRESSIONS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for t in (11, 5, 0):
            for x in (points, points.float()):
                assert_same(fast, EXPRESSIONS[name], x, t)
    assert len(fast._programs) == 1


@pytest.mark.slow  # twenty seconds of a C++ compiler; the traced loops below and above are compared in the fast tests
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
def test_the_compiled_loop_gives_the_same_numbers_and_samples(points):
    """With the real compiler, once: values at all levels, near and far, and a run of the sampler with equal seeds."""
    fast = compiled(EXPRESSIONS["product"])
    options = SamplerOptions(steps_per_level=2, step_law="sigma-power", step_scale=0.3, step_power=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for t in range(12):
            assert_same(fast, EXPRESSIONS["product"], points, t)
        assert_same(fast, EXPRESSIONS["product"], points.float(), 3)
        runs = [
            draw(expression, SCHEDULE, points, options, torch.Generator().manual_seed(1))
            for expression in (fast, EXPRESSIONS["product"])
        ]
    torch.testing.assert_close(runs[0].x, runs[1].x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(runs[0].acceptance, runs[1].acceptance)
    assert runs[0].gradient_evaluations == runs[1].gradient_evaluations


KERNEL_DEFAULTS = {
    "ula": partial(ula),
    "plain function": ula,
    "mala": partial(mala),
    "mala, line": partial(mala, line_points=3),
    "uhmc": partial(uhmc, num_leapfrog=2, mass=2.0),
    "hmc": partial(hmc, num_leapfrog=3, damping=0.7),
    "hmc, path": partial(hmc, num_leapfrog=2, line_points="path"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", KERNEL_DEFAULTS)
def test_fused_steps_are_the_kernels_moves(name, dtype, points, monkeypatch):
    """With equal seeds, at two levels and step sizes by one program, each of three moves in turn."""
    monkeypatch.setattr(torch, "compile", traced)
    kernel, plain, fast = KERNEL_DEFAULTS[name], EXPRESSIONS["product"], compiled(EXPRESSIONS["product"])
    for t, step_size in ((6, 0.02), (2, 0.003)):
        moved = []
        for expression in (plain, fast):
            target, generator = expression.target(t), torch.Generator().manual_seed(t)
            x = points.to(dtype)
            state = init_state(target, x, draw_momentum(x, generator, 2.0) if "hmc" in name else None)
            move = target.fused(kernel) if isinstance(target, FusingTarget) else kernel
            infos = []
            for _ in range(3):
                state, info = move(state, target, step_size, generator)
                infos.append(info)
            moved.append((state, infos))
        (reference, reported), (ours, ours_info) = moved
        assert ours.x.dtype == ours.score.dtype == ours.log_density.dtype == dtype
        rtol = 1e-9 if dtype == torch.float64 else 1e-4
        for field in ("x", "score", "log_density", "momentum"):
            torch.testing.assert_close(getattr(ours, field), getattr(reference, field), rtol=rtol, atol=rtol)
        for info, expected in zip(ours_info, reported, strict=True):
            torch.testing.assert_close(info.acceptance, expected.acceptance, rtol=rtol, atol=rtol)
            assert torch.equal(info.accepted, expected.accepted)
            assert info.gradient_evaluations == expected.gradient_evaluations
            assert info.non_finite == expected.non_finite
    assert len(fast._programs) == 2  # the density, and the move


def test_kernels_that_are_not_ours_are_left_as_they_are(points):
    """They may draw what they like; so may ours, where draws or a step size are given as tensors."""
    target, seen = compiled(EXPRESSIONS["product"]).target(3), []

    def kernel(state, target, step_size, generator):
        seen.append(generator)
        return ula(state, target, step_size, generator)

    state, generator = init_state(EXPRESSIONS["product"].target(3), points), torch.Generator().manual_seed(0)
    target.fused(kernel)(state, EXPRESSIONS["product"].target(3), 0.01, generator)
    assert seen == [generator]


def test_a_state_without_a_log_density_steps_by_the_kernel_itself(points, monkeypatch):
    monkeypatch.setattr(torch, "compile", traced)
    target, plain = compiled(EXPRESSIONS["product"]).target(3), EXPRESSIONS["product"].target(3)
    state = replace(init_state(plain, points), log_density=None)
    moved, _ = target.fused(ula)(state, target, 0.01, torch.Generator().manual_seed(0))
    expected, _ = ula(state, plain, 0.01, torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved.x, expected.x)
    torch.testing.assert_close(moved.score, expected.score)


def test_one_program_serves_all_levels_and_weights_per_level_take_their_own(points, monkeypatch):
    monkeypatch.setattr(torch, "compile", traced)
    constant = compiled(EXPRESSIONS["product"])
    weights = torch.tensor([0.0] * 4 + [0.5] * 4 + [1.0] * 4)
    expression = WeightedProduct([RING, BAR], [1.0, weights])
    changing = compiled(expression)
    for t in range(12):
        assert_same(constant, EXPRESSIONS["product"], points, t)
        assert_same(changing, expression, points, t)
    assert len(constant._programs) == 1
    # One where the bar has no weight and is left out, one for all other levels.
    assert len(changing._programs) == 2
    constant.evaluate(points[:7], 3)
    assert len(constant._programs) == 2


def test_a_level_without_any_weight_is_flat(points):
    weights = torch.tensor([0.0] * 6 + [1.0] * 6)
    evaluation = compiled(WeightedProduct([RING], [weights])).evaluate(points, 2)
    assert torch.equal(evaluation.score, torch.zeros_like(points))


def test_too_many_programs_are_reported_and_run_as_they_stand(points, monkeypatch):
    monkeypatch.setattr(torch, "compile", traced)
    monkeypatch.setattr(module, "MOST_PROGRAMS", 2)
    expression = mixture([RING, BAR], torch.linspace(-3.0, 0.0, 24).reshape(12, 2))
    fast = compiled(expression)
    assert_same(fast, expression, points, 0)
    assert_same(fast, expression, points, 1)
    with pytest.warns(RuntimeWarning, match="more than 2 compilations"):
        fast.evaluate(points, 2)
    assert_same(fast, expression, points, 2)


def test_without_a_compiler_a_warning_and_the_same_numbers(points, monkeypatch):
    def broken(graph, **options):
        def run(*arguments):
            raise torch._inductor.exc.InvalidCxxCompiler

        return run

    monkeypatch.setattr(torch, "compile", broken)
    fast = compiled(EXPRESSIONS["product"])
    with pytest.warns(RuntimeWarning, match="could not be compiled.*evaluated without compilation"):
        fast.evaluate(points, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(fast, EXPRESSIONS["product"], points, 5)
        assert_same(fast, EXPRESSIONS["product"], points, 0)
        options = SamplerOptions(steps_per_level=1, step_scale=0.01)
        runs = [
            draw(expression, SCHEDULE, points, options, torch.Generator().manual_seed(1)).x
            for expression in (fast, EXPRESSIONS["product"])
        ]
    torch.testing.assert_close(*runs, rtol=1e-9, atol=1e-9)


def test_what_cannot_be_traced_is_reported_and_runs_as_it_stands(points):
    """A weight read from a tensor inside a mixture is a number that tracing does not see."""
    expression = mixture([RING @ torch.linspace(0.5, 1.0, 12), BAR])
    fast = compiled(expression)
    with pytest.warns(RuntimeWarning, match="could not be compiled"):
        fast.evaluate(points, 4)
    assert_same(fast, expression, points, 4)


def test_as_a_term_it_counts_as_its_leaves(points):
    inner = compiled(EXPRESSIONS["product"])
    assert inner.has_energy
    assert inner.leaves() == [RING, BAR]
    assert inner.energy_leaves(3) == []
    assert_same(inner @ 2.0, EXPRESSIONS["product"] @ 2.0, points, 4)


def test_scores_alone(points, monkeypatch):
    monkeypatch.setattr(torch, "compile", traced)
    assert compiled(EXPRESSIONS["product"]).evaluate(points, 3, energy=False).log_density is None


def test_what_cannot_be_compiled_is_refused():
    network = PredictionLeaf(lambda x, t: x, SCHEDULE)
    with pytest.raises(UsageError, match=r"given a PredictionLeaf.*torch\.compile\(network\)"):
        compiled(RING & network)
    line = ExactLeaf(UniformBox([0.0], [1.0]), SCHEDULE)
    with pytest.raises(UsageError, match=r"dimensions \[1, 2\]"):
        compiled(RING & line)
    with pytest.raises(UsageError, match=r"shape \(3, 1\), expected \[batch, 2\]"):
        compiled(RING).evaluate(torch.zeros(3, 1), 0)
