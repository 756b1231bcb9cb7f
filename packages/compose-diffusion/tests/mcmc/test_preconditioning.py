import math
from functools import partial

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.mcmc.kernels import hmc, init_state, mala, uhmc, ula
from compose_diffusion.mcmc.preconditioning import (
    CovariancePreconditioner,
    DiagonalPreconditioner,
    check_preconditioning,
    estimate_preconditioner,
    preconditioned_target,
    preconditioner_at,
)

KERNELS = {
    "ula": partial(ula, step_size=0.3),
    "mala": partial(mala, step_size=0.3),
    "mala-line": partial(mala, step_size=0.3, line_points=5),
    "uhmc": partial(uhmc, step_size=0.5),
    "hmc": partial(hmc, step_size=0.9, num_leapfrog=2, damping=0.3),
}
COVARIANCE = torch.tensor([[4.0, 0.15, 0.0], [0.15, 0.01, 0.002], [0.0, 0.002, 0.25]], dtype=torch.float64)


def gaussian(covariance):
    precision = torch.linalg.inv(covariance)

    def target(x):
        pulled = x @ precision
        return -0.5 * (x * pulled).sum(dim=1), -pulled

    return target


def curved(x):
    """A bent density that is no Gaussian, for tests of invariance."""
    a, b, c = x.unbind(dim=1)
    bend = b - a**2
    return -0.5 * a**2 - 2 * bend**2 - 0.25 * c**4, torch.stack([-a + 8 * a * bend, -4 * bend, -(c**3)], dim=1)


def run(kernel, target, x, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state, acceptance = init_state(target, x), []
    for _ in range(steps):
        state, info = kernel(state, target, generator=generator)
        acceptance.append(float(info.acceptance))
    return state, acceptance


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_a_linear_map_of_the_target_maps_the_chain(name, kind, generator):
    """With z = A x, the chain preconditioned by A on the distribution of z is A times the plain chain, noise for
    noise."""
    if kind == "full":
        preconditioner = CovariancePreconditioner(COVARIANCE)
        matrix = torch.from_numpy(np.linalg.cholesky(COVARIANCE.numpy()))
    else:
        preconditioner = DiagonalPreconditioner(COVARIANCE.diagonal())
        matrix = COVARIANCE.diagonal().sqrt().diag()

    def mapped(z):
        log_density, score = curved(z @ torch.linalg.inv(matrix).mT)
        return log_density, score @ torch.linalg.inv(matrix)

    x = 0.5 * torch.randn(40, 3, generator=generator, dtype=torch.float64)
    kernel = partial(KERNELS[name], step_size=0.03 if name in ("ula", "mala", "mala-line") else 0.2)
    plain, accepted = run(kernel, curved, x, 5)
    inner = preconditioned_target(mapped, preconditioner)
    state, accepted_too = run(kernel, inner, preconditioner.whiten(x @ matrix.mT), 5)
    torch.testing.assert_close(preconditioner.unwhiten(state.x), plain.x @ matrix.mT, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(preconditioner.unwhiten_score(state.score), plain.score @ torch.linalg.inv(matrix))
    assert accepted_too == pytest.approx(accepted)
    if name in ("mala", "hmc"):
        assert 0.3 < min(accepted) < 1


@pytest.mark.parametrize("name", ["mala", "hmc"])
def test_an_ill_conditioned_gaussian_is_sampled_like_a_round_one(name, generator):
    """Condition number about 1,000: same acceptance as for N(0, I), and the right moments after few moves."""
    preconditioner = CovariancePreconditioner(COVARIANCE)
    y = torch.randn(6000, 3, generator=generator, dtype=torch.float64)
    state, acceptance = run(KERNELS[name], preconditioned_target(gaussian(COVARIANCE), preconditioner), 1.5 * y, 25)
    _, round_acceptance = run(KERNELS[name], gaussian(torch.eye(3, dtype=torch.float64)), 1.5 * y, 25)
    assert acceptance == pytest.approx(round_acceptance, abs=1e-9)
    found = torch.cov(preconditioner.unwhiten(state.x).mT)
    scale = COVARIANCE.diagonal().sqrt()
    assert ((found - COVARIANCE) / torch.outer(scale, scale)).abs().max() < 4 * math.sqrt(2 / 6000)
    _, plain_acceptance = run(KERNELS[name], gaussian(COVARIANCE), preconditioner.unwhiten(y), 5)
    assert max(plain_acceptance) < 0.1, "this step is too long for the narrow coordinate"


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_maps_undo_each_other(kind, generator):
    samples = torch.randn(50, 1, 2, 2, generator=generator)
    preconditioner = estimate_preconditioner(samples, kind)
    torch.testing.assert_close(preconditioner.unwhiten(preconditioner.whiten(samples)), samples)
    torch.testing.assert_close(preconditioner.unwhiten_score(preconditioner.whiten_score(samples)), samples)
    # y . s_y = x . s_x, whatever the coordinates.
    score = torch.randn(50, 1, 2, 2, generator=generator)
    inner = (preconditioner.whiten(samples) * preconditioner.whiten_score(score)).flatten(1).sum(dim=1)
    torch.testing.assert_close(inner, (samples * score).flatten(1).sum(dim=1), rtol=1e-4, atol=1e-4)


def test_scores_in_coordinates_are_gradients(generator):
    preconditioner = CovariancePreconditioner(COVARIANCE)
    y = torch.randn(10, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    log_density, score = preconditioned_target(curved, preconditioner)(y)
    (gradient,) = torch.autograd.grad(log_density.sum(), y)
    torch.testing.assert_close(score, gradient)


def test_estimates_whiten_the_population(generator):
    x = torch.randn(4000, 3, generator=generator, dtype=torch.float64) @ torch.linalg.cholesky(COVARIANCE).mT
    whitened = estimate_preconditioner(x, "full").whiten(x)
    torch.testing.assert_close(torch.cov(whitened.mT), torch.eye(3, dtype=torch.float64))
    scaled = estimate_preconditioner(x, "diagonal").whiten(x)
    torch.testing.assert_close(torch.cov(scaled.mT).diagonal(), torch.ones(3, dtype=torch.float64))
    shrunk = estimate_preconditioner(x[:3], "full", shrinkage=1.0)
    torch.testing.assert_close(shrunk.whiten(x), estimate_preconditioner(x[:3], "diagonal").whiten(x))


def test_levels_have_their_own_or_share_one():
    one, two = DiagonalPreconditioner(torch.ones(2)), DiagonalPreconditioner(torch.full((2,), 2.0))
    assert preconditioner_at(None, 3) is None
    assert preconditioner_at(one, 3) is one
    assert preconditioner_at([one, two], 1) is two


def test_bad_preconditioners_are_reported():
    one = DiagonalPreconditioner(torch.ones(2))
    cases = [
        (lambda: DiagonalPreconditioner(torch.tensor([1.0, 0.0])), "range from 0 to 1"),
        (lambda: DiagonalPreconditioner(torch.tensor([1.0, math.nan])), "expected finite numbers above 0"),
        (lambda: CovariancePreconditioner(torch.tensor([[1.0, 2.0], [2.0, 1.0]])), "smallest eigenvalue -1,"),
        (lambda: CovariancePreconditioner(torch.tensor([[1.0, 0.5], [0.0, 1.0]])), "not symmetric"),
        (lambda: one.whiten(torch.zeros(4, 3)), r"variances of shape \(2,\) for samples of shape \(4, 3\)"),
        (lambda: CovariancePreconditioner(torch.eye(2)).whiten(torch.zeros(4, 3)), "2 coordinates for samples"),
        (lambda: estimate_preconditioner(torch.zeros(1, 3)), "1 pilot samples, expected at least 2"),
        (lambda: estimate_preconditioner(torch.randn(3, 3), "full"), "3 pilot samples of 3 coordinates"),
        (lambda: estimate_preconditioner(torch.randn(9, 3), "full", shrinkage=1.5), "shrinkage 1.5"),
        (lambda: estimate_preconditioner(torch.zeros(9, 3)), "range from 0 to 0"),
        (lambda: check_preconditioning([one], 5), "1 preconditioners for 5 levels"),
    ]
    for build, expected in cases:
        with pytest.raises(UsageError, match=expected) as error:
            build()
        assert "\n" not in str(error.value)
