"""The process on the simplex against simulation, Legendre polynomials and the Dirichlet distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import special, stats

from simplex_cir.process.cir import transition_sample
from simplex_cir.process.wright_fisher import (
    jacobi_density,
    simplex_covariance,
    simplex_drift,
    to_simplex,
)


def test_drift_and_covariance_of_exact_steps() -> None:
    """Means and covariances of X over a short exact step of Y, within four standard errors."""
    with jax.enable_x64(True):
        alpha, y, step, count = np.array([0.6, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), 1e-3, 200_000
        after = transition_sample(jax.random.key(0), y, alpha, step, shape=(count, 3))
        x, total = to_simplex(y)
        moved = np.asarray(to_simplex(after)[0] - x)
        spread = moved.std(0) / count**0.5
        assert (abs(moved.mean(0) - step * np.asarray(simplex_drift(x, total, alpha))) < 4 * spread).all()
        covariance = np.asarray(simplex_covariance(x, total))
        np.testing.assert_allclose(np.cov(moved.T) / step, covariance, atol=0.02 * covariance.max())
        assert (abs(covariance.sum(-1)) < 1e-16).all()


def test_simplex_moments_by_automatic_differentiation() -> None:
    """Ito's formula by hand: drift and covariance of f(Y) = Y / sum Y from those of Y."""
    with jax.enable_x64(True):
        alpha, y = jnp.asarray([0.6, 1.0, 2.0]), jnp.asarray([1.0, 2.0, 3.0])

        def project(value):
            return value / value.sum()

        jacobian = jax.jacobian(project)(y)
        hessian = jax.hessian(project)(y)
        drift = jacobian @ (alpha - y) + jnp.einsum("ijj,j->i", hessian, y)
        x, total = to_simplex(y)
        np.testing.assert_allclose(simplex_drift(x, total, alpha), drift, atol=1e-15)
        np.testing.assert_allclose(simplex_covariance(x, total), jacobian @ jnp.diag(2 * y) @ jacobian.T, atol=1e-15)


def test_jacobi_density_is_legendres_series_for_uniform_alpha() -> None:
    with jax.enable_x64(True):
        y, x, clock = np.linspace(0.01, 0.99, 9), 0.3, 0.05
        n = np.arange(40)[:, None]
        series = (2 * n + 1) * np.exp(-n * (n + 1) * clock)
        series = series * special.eval_legendre(n, 2 * y - 1) * special.eval_legendre(n, 2 * x - 1)
        np.testing.assert_allclose(jacobi_density(y, x, (1.0, 1.0), clock), series.sum(0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("alpha", [(0.5, 0.5), (0.7, 2.5), (3.0, 1.0)])
def test_jacobi_density_obeys_its_equations(alpha: tuple[float, float]) -> None:
    """Mass 1, mean A-reversion, composition in time and convergence to Beta."""
    with jax.enable_x64(True):
        # Gauss-Jacobi: exact for polynomials against the Beta weight, which the series is.
        nodes, weights = special.roots_sh_jacobi(60, sum(alpha) - 1, alpha[0])
        weights = weights / weights.sum()
        beta = stats.beta(*alpha).pdf
        f = np.asarray(jacobi_density(nodes, 0.3, alpha, 0.1)) / beta(nodes)
        assert (weights * f).sum() == pytest.approx(1, abs=1e-12)
        mean = alpha[0] / sum(alpha)
        assert (weights * nodes * f).sum() == pytest.approx(mean + (0.3 - mean) * np.exp(-0.1 * sum(alpha)), abs=1e-12)
        onward = np.asarray(jacobi_density(0.6, nodes, alpha, 0.15))
        assert (weights * f * onward).sum() == pytest.approx(float(jacobi_density(0.6, 0.3, alpha, 0.25)), rel=1e-10)
        np.testing.assert_allclose(jacobi_density(nodes, 0.3, alpha, 50.0), beta(nodes), rtol=1e-11)


def test_bad_input_raises_a_usage_error() -> None:
    with pytest.raises(UsageError, match="alpha has 3 entries"):
        jacobi_density(0.5, 0.5, (1.0, 1.0, 1.0), 0.1)
    with pytest.raises(UsageError, match="alpha is 0.0"):
        jacobi_density(0.5, 0.5, (1.0, 0.0), 0.1)
