import math
from functools import partial

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from scipy.stats import kstest

from compose_diffusion.mcmc.kernels import (
    ChainState,
    draw_momentum,
    hmc,
    init_state,
    leapfrog,
    line_integral,
    mala,
    path_integral,
    uhmc,
    ula,
)


def gaussian_target(std):
    def target(x):
        return -0.5 * (x / std).square().flatten(1).sum(dim=1), -x / std**2

    return target


def double_well(x):
    """L = -(x^2 - 1)^2 - 0.3 x in one dimension: two unequal modes, no closed form."""
    return (-((x**2 - 1) ** 2) - 0.3 * x)[:, 0], -4 * x * (x**2 - 1) - 0.3


def curved(x):
    """A bent density of the plane with a known gradient, for geometry tests."""
    a, b = x[:, 0], x[:, 1]
    bend = b - a**2
    return -0.5 * a**2 - 2 * bend**2, torch.stack([-a + 8 * a * bend, -4 * bend], dim=1)


def run(kernel, target, x, num_steps, generator):
    state = init_state(target, x)
    for _ in range(num_steps):
        state, info = kernel(state, target, generator=generator)
    return state, info


def assert_variance(x, expected):
    """Variance of zero-mean Gaussian samples within three standard errors, sqrt(2 / n) relative."""
    found = float(x.square().mean())
    assert abs(found / expected - 1) < 3 * math.sqrt(2 / x.numel()), (found, expected)


def test_ula_has_its_biased_stationary_variance(generator):
    """The recursion x' = (1 - h / s^2) x + sqrt(2h) xi settles at s^2 / (1 - h / (2 s^2)): 1.33 s^2 here."""
    std = 0.7
    step = 0.5 * std**2
    start = std * torch.randn(20000, 2, generator=generator, dtype=torch.float64)
    state, info = run(partial(ula, step_size=step), gaussian_target(std), start, 40, generator)
    assert_variance(state.x, std**2 / (1 - step / (2 * std**2)))
    assert info.gradient_evaluations == 1
    assert float(info.acceptance) == 1.0


def test_uhmc_is_biased_as_the_leapfrog_shadow_energy_says(generator):
    """With full refreshment and a Gaussian, leapfrog keeps a shadow energy of variance s^2 / (1 - h^2 / (4 s^2))."""
    std, step = 0.7, 0.7
    start = std * torch.randn(20000, 2, generator=generator, dtype=torch.float64)
    kernel = partial(uhmc, step_size=step, num_leapfrog=2, damping=0.0)
    state, info = run(kernel, gaussian_target(std), start, 30, generator)
    assert_variance(state.x, std**2 / (1 - step**2 / (4 * std**2)))
    assert info.gradient_evaluations == 2


ADJUSTED = {
    "mala": partial(mala, step_size=0.5 * 0.49),
    "hmc": partial(hmc, step_size=0.9, num_leapfrog=3, damping=0.0),
    "hmc-partial": partial(hmc, step_size=0.9, num_leapfrog=2, damping=0.7),
    "hmc-heavy": partial(hmc, step_size=1.8, num_leapfrog=3, damping=0.3, mass=4.0),
    "mala-line": partial(mala, step_size=0.5 * 0.49, line_points=2),
    "hmc-line": partial(hmc, step_size=0.9, num_leapfrog=2, damping=0.7, line_points=3),
}


@pytest.mark.parametrize("name", ADJUSTED)
def test_metropolis_kernels_are_unbiased_at_the_same_step(name, generator):
    """A line integral by the trapezoid rule is exact here, a Gaussian's score being linear."""
    start = 1.2 * torch.randn(20000, 2, generator=generator, dtype=torch.float64)
    state, info = run(ADJUSTED[name], gaussian_target(0.7), start, 40, generator)
    assert_variance(state.x, 0.49)
    assert 0.3 < float(info.acceptance) < 0.99
    assert float(info.accepted.double().mean()) == pytest.approx(float(info.acceptance), abs=0.01)


# The trapezoid rule with so few points is not exact for this score, so the line integrals are left out.
@pytest.mark.parametrize("name", [name for name in ADJUSTED if "line" not in name])
def test_one_move_leaves_a_bimodal_law_invariant(name, generator):
    """Joint test: exact draws of (x, momentum), one move, then x must still have the distribution that quadrature
    gives."""
    grid = np.linspace(-3, 3, 6001)
    density = np.exp(-((grid**2 - 1) ** 2) - 0.3 * grid)
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    cumulative /= cumulative[-1]
    uniform = torch.rand(60000, 1, generator=generator, dtype=torch.float64)
    x = torch.from_numpy(np.interp(uniform.numpy(), cumulative, grid))
    mass = 4.0 if "heavy" in name else 1.0
    state = init_state(double_well, x, draw_momentum(x, generator, mass))
    for _ in range(3):
        state, info = ADJUSTED[name](state, double_well, generator=generator)
    assert float(info.acceptance) < 0.98
    assert kstest(state.x[:, 0].numpy(), lambda at: np.interp(at, grid, cumulative)).pvalue > 1e-3
    if name != "mala":
        assert kstest(state.momentum[:, 0].numpy() / math.sqrt(mass), "norm").pvalue > 1e-3


def test_mala_is_in_detailed_balance(generator):
    """Flow between two cells of the line equals its reverse, p(x in A, x' in B) = p(x in B, x' in A)."""
    grid = np.linspace(-3, 3, 6001)
    density = np.exp(-((grid**2 - 1) ** 2) - 0.3 * grid)
    x = torch.from_numpy(np.random.default_rng(0).choice(grid, size=(400000, 1), p=density / density.sum()))
    state, _ = mala(init_state(double_well, x), double_well, 0.15, generator)
    edges = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=torch.float64)
    before, after = torch.bucketize(x[:, 0], edges), torch.bucketize(state.x[:, 0], edges)
    flow = torch.zeros(6, 6, dtype=torch.float64)
    flow.index_put_((before, after), torch.ones(len(x), dtype=torch.float64), accumulate=True)
    total = flow + flow.T
    standardised = (flow - flow.T)[total > 50] / total[total > 50].sqrt()
    assert standardised.abs().max() < 4


def test_mala_accepts_with_the_ratio_of_its_formula(generator):
    """Acceptance against log q(x' -> x) - log q(x -> x') + L(x') - L(x), with torch.distributions for q."""
    x = torch.randn(2000, 2, generator=generator, dtype=torch.float64)
    step = 0.05
    state, info = mala(init_state(curved, x), curved, step, torch.Generator().manual_seed(7))
    again = torch.Generator().manual_seed(7)
    noise = torch.randn(x.shape, generator=again, dtype=torch.float64)
    proposal = x + step * curved(x)[1] + math.sqrt(2 * step) * noise
    forward = torch.distributions.Normal(x + step * curved(x)[1], math.sqrt(2 * step)).log_prob(proposal).sum(dim=1)
    backward = torch.distributions.Normal(proposal + step * curved(proposal)[1], math.sqrt(2 * step)).log_prob(x)
    ratio = (curved(proposal)[0] - curved(x)[0] + backward.sum(dim=1) - forward).exp().clamp(max=1)
    assert float(info.acceptance) == pytest.approx(float(ratio.mean()), rel=1e-9)
    accepted = torch.rand(2000, generator=again, dtype=torch.float64) < ratio
    assert torch.equal(info.accepted, accepted)
    torch.testing.assert_close(state.x, torch.where(accepted[:, None], proposal, x))


def test_leapfrog_is_reversible(generator):
    x = torch.randn(100, 2, generator=generator, dtype=torch.float64)
    momentum = draw_momentum(x, generator, 2.0)
    start = init_state(curved, x, momentum)
    end = leapfrog(start, curved, 0.05, 10, 2.0)
    back = leapfrog(ChainState(end.x, end.log_density, end.score, -end.momentum), curved, 0.05, 10, 2.0)
    assert (back.x - x).abs().max() < 1e-10
    assert (-back.momentum - momentum).abs().max() < 1e-10
    assert (end.x - x).abs().max() > 0.1


def test_leapfrog_keeps_volume():
    def step(phase):
        state = init_state(curved, phase[None, :2], phase[None, 2:])
        end = leapfrog(state, curved, 0.1, 4, 1.5)
        return torch.cat([end.x[0], end.momentum[0]])

    jacobian = torch.autograd.functional.jacobian(step, torch.tensor([0.3, -0.4, 0.8, -0.5], dtype=torch.float64))
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1, abs=1e-10)
    assert (jacobian - torch.eye(4)).abs().max() > 0.1


def test_leapfrog_energy_error_is_of_second_order(generator):
    x = 0.5 * torch.randn(200, 2, generator=generator, dtype=torch.float64)
    start = init_state(curved, x, draw_momentum(x, generator))

    def error(num_steps):
        end = leapfrog(start, curved, 0.4 / num_steps, num_steps)
        energies = [-s.log_density + 0.5 * s.momentum.square().sum(dim=1) for s in (start, end)]
        return float((energies[1] - energies[0]).abs().mean())

    for num_steps in (8, 16, 32):
        assert error(num_steps) / error(2 * num_steps) == pytest.approx(4, rel=0.1)


def test_rejected_chains_stay_and_turn_round(generator):
    """Steps far too long: rejected chains keep everything they know and reverse the refreshed momentum."""
    x = torch.randn(500, 2, generator=generator, dtype=torch.float64)
    momentum = draw_momentum(x, generator)
    start = init_state(curved, x, momentum)
    state, info = hmc(start, curved, 0.8, generator, num_leapfrog=2, damping=1.0)
    rejected = ~info.accepted
    assert 20 < int(rejected.sum()) < 480
    assert torch.equal(state.x[rejected], x[rejected])
    assert torch.equal(state.momentum[rejected], -momentum[rejected])
    log_density, score = curved(state.x)
    torch.testing.assert_close(state.log_density, log_density)
    torch.testing.assert_close(state.score, score)
    assert (state.x != x).any(dim=1)[info.accepted].all()


def test_refreshment_keeps_its_share_of_the_momentum(generator):
    """No force and full acceptance: momentum after one move is damping * before + sqrt(1 - damping^2) * fresh."""

    def flat(x):
        return torch.zeros(len(x), dtype=x.dtype), torch.zeros_like(x)

    x = torch.zeros(200000, 1, dtype=torch.float64)
    momentum = draw_momentum(x, generator, 2.0)
    state, _ = hmc(init_state(flat, x, momentum), flat, 0.1, generator, num_leapfrog=1, damping=0.8, mass=2.0)
    assert float((state.momentum * momentum).mean()) == pytest.approx(0.8 * 2.0, rel=0.02)
    assert_variance(state.momentum, 2.0)
    torch.testing.assert_close(state.x, 0.1 / 2.0 * state.momentum)


def test_cached_values_save_evaluations(generator):
    calls = []

    def counting(x):
        calls.append(1)
        return curved(x)

    x = torch.randn(10, 2, generator=generator, dtype=torch.float64)
    for kernel, per_move in (
        (partial(ula, step_size=0.01), 1),
        (partial(mala, step_size=0.01), 1),
        (partial(uhmc, step_size=0.01, num_leapfrog=4), 4),
        (partial(hmc, step_size=0.01, num_leapfrog=4), 4),
        (partial(mala, step_size=0.01, line_points=5), 4),
    ):
        state = init_state(counting, x)
        calls.clear()
        for _ in range(5):
            state, info = kernel(state, counting, generator=generator)
        assert len(calls) == 5 * per_move
        assert info.gradient_evaluations == per_move


@pytest.mark.parametrize("kernel", [ula, mala, uhmc, hmc])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_steps_to_where_nothing_is_known_are_rejected_and_counted(kernel, bad, generator):
    """A target without a finite value on the right half line: no chain may end there."""

    def half(x):
        log_density, score = gaussian_target(1.0)(x)
        return torch.where(x[:, 0] > 0, bad, log_density), score

    x = -torch.rand(400, 2, generator=generator, dtype=torch.float64) * 0.2
    state, info = kernel(init_state(half, x), half, 0.3, generator)
    assert 0 < int(info.non_finite) < 400
    assert (state.x[:, 0] <= 0).all()
    assert state.log_density.isfinite().all()
    assert float(info.acceptance) < 1
    assert int((~info.accepted).sum()) >= int(info.non_finite)


def test_scores_that_are_not_finite_are_rejected_by_unadjusted_kernels(generator):
    def broken(x):
        return None, torch.where(x > 0, math.nan, -x)

    x = -torch.rand(400, 1, generator=generator, dtype=torch.float64) * 0.2
    for kernel in (ula, uhmc):
        state, info = kernel(init_state(broken, x), broken, 0.3, generator)
        assert int(info.non_finite) > 0
        assert (state.x <= 0).all()


def test_line_integral_converges_to_the_log_density_difference(generator):
    start, end = (init_state(curved, torch.randn(50, 2, generator=generator, dtype=torch.float64)) for _ in range(2))
    expected = end.log_density - start.log_density
    errors = [float((line_integral(curved, start, end, points) - expected).abs().max()) for points in (3, 33, 1025)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_kernels_take_images_and_keep_their_type(generator):
    x = torch.randn(3, 1, 4, 4, generator=generator)
    target = gaussian_target(1.0)
    for kernel in (ula, mala, uhmc, hmc):
        state, info = kernel(init_state(target, x), target, 0.1, generator)
        assert state.x.shape == x.shape
        assert state.x.dtype == torch.float32
        assert info.accepted.shape == (3,)


def test_equal_seeds_give_equal_moves():
    x = torch.zeros(5, 2, dtype=torch.float64)
    for kernel in (ula, mala, uhmc, hmc):
        one, two = (kernel(init_state(curved, x), curved, 0.1, torch.Generator().manual_seed(3))[0] for _ in range(2))
        assert torch.equal(one.x, two.x)


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (partial(ula, step_size=-0.1), "step size is -0.1"),
        (partial(mala, step_size=0.0), "step size is 0.0"),
        (partial(hmc, step_size=-0.1), "step size is -0.1"),
        (partial(hmc, step_size=0.1, damping=1.5), "damping is 1.5"),
        (partial(uhmc, step_size=0.1, damping=-0.5), "damping is -0.5"),
        (partial(hmc, step_size=0.1, num_leapfrog=0), "num_leapfrog is 0"),
        (partial(hmc, step_size=0.1, mass=-1.0), "mass is -1.0"),
        (partial(mala, step_size=0.1, line_points=1), "line_points is 1"),
    ],
)
def test_bad_settings_are_refused(move, expected, generator):
    x = torch.zeros(2, 2, dtype=torch.float64)
    with pytest.raises(UsageError, match=expected):
        move(init_state(curved, x), curved, generator=generator)


@pytest.mark.parametrize("kernel", [mala, hmc])
def test_metropolis_without_an_energy_is_refused(kernel, generator):
    def score_only(x):
        return None, -x

    with pytest.raises(UsageError, match=r"no log density.*line_points"):
        kernel(init_state(score_only, torch.zeros(2, 2)), score_only, 0.1, generator)


def test_leapfrog_without_momentum_is_refused():
    with pytest.raises(UsageError, match="no momentum"):
        leapfrog(init_state(curved, torch.zeros(2, 2)), curved, 0.1, 1)


def test_path_integral_of_a_conservative_field_is_the_difference() -> None:
    # The trapezoid rule is exact for a linear score; for a quartic one its error falls with the square of the step.
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    momentum = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def gaussian(x):
        return -0.5 * x.square().sum(dim=1), -x

    def quartic(x):
        return -0.25 * x.pow(4).sum(dim=1), -x.pow(3)

    start = init_state(gaussian, x, momentum)
    path = []
    end = leapfrog(start, gaussian, 0.3, 5, path=path)
    torch.testing.assert_close(path_integral([start, *path]), end.log_density - start.log_density)
    errors = []
    for steps in (8, 16):
        start, path = init_state(quartic, 0.5 * x, momentum), []
        end = leapfrog(start, quartic, 0.8 / steps, steps, path=path)
        errors.append(float((path_integral([start, *path]) - end.log_density + start.log_density).abs().max()))
    assert errors[1] < 0.35 * errors[0]


def test_hmc_along_its_path_samples_a_score_at_no_further_cost() -> None:
    def target(x):
        return None, -4 * x

    generator = torch.Generator().manual_seed(0)
    state = init_state(target, torch.zeros(4000, 1, dtype=torch.float64))
    for _ in range(60):
        state, info = hmc(state, target, 0.4, generator, num_leapfrog=3, line_points="path")
    assert info.gradient_evaluations == 3
    assert float(info.acceptance) < 1
    assert float(state.x.var()) == pytest.approx(0.25, rel=0.08)


def test_path_of_a_langevin_move_is_its_two_ends() -> None:
    def target(x):
        return None, -x.pow(3)

    start = init_state(target, torch.randn(20, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    moves = [
        mala(start, target, 0.1, torch.Generator().manual_seed(4), line_points=points)[0] for points in (2, "path")
    ]
    torch.testing.assert_close(moves[0].x, moves[1].x)
