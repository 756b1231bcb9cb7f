"""Every closed form against an independent computation."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, special, stats

from simplex_cir.diffusion.likelihood import integrand
from simplex_cir.diffusion.posterior import log_posterior, scaled_score
from simplex_cir.diffusion.priors import IndependentPrior
from simplex_cir.diffusion.probability_flow import paper_log_flow, velocity
from simplex_cir.diffusion.rank_law import RankLaw
from simplex_cir.diffusion.reverse import paper_drift
from simplex_cir.diffusion.snr import snr_from_elapsed
from simplex_cir.process.bridge import bridge_log_prob, bridge_mean
from simplex_cir.process.cir import (
    CIR,
    dirichlet_log_prob,
    laplace_transform,
    stationary_log_prob,
    transition_cdf,
    transition_log_prob,
    transition_mean,
    transition_quantile,
    transition_variance,
)
from simplex_cir.process.squared_ou import squared_ou_sample
from simplex_cir.process.wright_fisher import jacobi_density
from simplex_cir.special.bessel import bessel_ratio, log_0f1, log_iv, log_ive

# Start, shape and time of the checks of the process.
CASES = ((0.0, 0.4, 0.5), (0.3, 0.5, 1.0), (1.0, 1.0, 0.2), (4.0, 2.5, 2.0))


@dataclass(frozen=True)
class Check:
    """One closed form.

    Attributes:
        what: the closed form in words.
        against: the independent computation.
        error: computes the largest error, relative where values are large.
        bound: of the error, by double precision and the quadrature.
    """

    what: str
    against: str
    error: Callable[[], float]
    bound: float


def _gap(got: object, expected: object) -> float:
    """Largest difference, relative to the larger of the value and 1."""
    left, right = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    return float((np.abs(left - right) / np.maximum(np.abs(right), 1)).max())


def _ive() -> float:
    nu, z = np.meshgrid([-0.7, 0.0, 0.5, 3.0, 40.0], np.geomspace(1e-2, 1e3, 40))
    return _gap(log_ive(jnp.asarray(nu), jnp.asarray(z)), np.log(special.ive(nu, z)) + 0 * z)


def _half_integers() -> float:
    z = np.geomspace(1e-3, 30, 60)
    tanh = _gap(bessel_ratio(jnp.full_like(z, -0.5), jnp.asarray(z)), np.tanh(z))
    return max(tanh, _gap(bessel_ratio(jnp.full_like(z, 0.5), jnp.asarray(z))[20:], (1 / np.tanh(z) - 1 / z)[20:]))


def _hypergeometric() -> float:
    a, q = np.meshgrid([0.05, 1.0, 7.5], np.geomspace(1e-6, 100, 40))
    return _gap(log_0f1(jnp.asarray(a), jnp.asarray(q)), np.log(special.hyp0f1(a, q)))


def _transition(x: float, a: float, t: float) -> Any:
    lost = -np.expm1(-t)
    return stats.ncx2(2 * a, 2 * x * np.exp(-t) / lost, scale=lost / 2) if x else stats.gamma(a, scale=lost)


def _each(compare: Callable[[float, float, float], float]) -> float:
    return max(compare(*case) for case in CASES)


def _log_density() -> float:
    def compare(x: float, a: float, t: float) -> float:
        y = _transition(x, a, t).ppf(np.linspace(0.01, 0.99, 30))
        return _gap(transition_log_prob(jnp.asarray(y), x, a, t), _transition(x, a, t).logpdf(y))

    return _each(compare)


def _distribution() -> float:
    def compare(x: float, a: float, t: float) -> float:
        y = _transition(x, a, t).ppf(np.linspace(0.01, 0.99, 30))
        return _gap(transition_cdf(jnp.asarray(y), x, a, t), np.linspace(0.01, 0.99, 30))

    return _each(compare)


def _quantiles() -> float:
    p = np.linspace(0.01, 0.99, 15)
    return _each(lambda x, a, t: _gap(transition_quantile(jnp.asarray(p), x, a, t), _transition(x, a, t).ppf(p)))


def _moments() -> float:
    def compare(x: float, a: float, t: float) -> float:
        mean, variance = _transition(x, a, t).stats("mv")
        return max(_gap(transition_mean(x, a, t), mean), _gap(transition_variance(x, a, t), variance))

    return _each(compare)


def _integral(x: float, a: float, t: float, factor: Callable[[float], float]) -> float:
    """Integral of factor(y) f(y | x), over u with y = u^(1/min(a, 1)), which removes the singularity of small
    shapes."""
    inner = min(a, 1.0)

    def integrand(u: float) -> float:
        y = u ** (1 / inner)
        density = float(np.exp(_transition(x, a, t).logpdf(y))) if y > 0 else 0.0
        return factor(y) * density * (y / (inner * u) if u > 0 else 0.0)

    return integrate.quad(integrand, 0, _transition(x, a, t).ppf(1 - 1e-13) ** inner, epsabs=1e-11, limit=400)[0]


def _laplace() -> float:
    return _each(
        lambda x, a, t: _gap(laplace_transform(0.7, x, a, t), _integral(x, a, t, lambda y: float(np.exp(-0.7 * y))))
    )


def _reversible() -> float:
    x, y = np.meshgrid([0.1, 1.0, 5.0], [0.2, 2.0, 9.0])
    first, second = jnp.asarray(x), jnp.asarray(y)

    def joint(start: jax.Array, end: jax.Array) -> jax.Array:
        return stationary_log_prob(start, 1.7) + transition_log_prob(end, start, 1.7, 0.4)

    return _gap(joint(first, second), joint(second, first))


def _two_steps() -> float:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    root = 2.8 * (nodes + 1)  # the density goes as sqrt(u) near 0: integrate over the root of u
    middle = jnp.asarray(root**2)
    both = transition_log_prob(middle, 0.8, 1.5, 0.3) + transition_log_prob(2.0, middle, 1.5, 0.6)
    total = float((2.8 * weights * 2 * root * np.exp(np.asarray(both))).sum())
    return _gap(total, jnp.exp(transition_log_prob(2.0, 0.8, 1.5, 0.9)))


def _spectral() -> float:
    a, t, x = 1.3, 0.7, 0.9
    y = np.linspace(0.1, 6, 20)
    order = np.arange(120)
    weights = np.exp(-t * order + special.gammaln(order + 1) + special.gammaln(a) - special.gammaln(a + order))
    terms = weights[:, None] * special.eval_genlaguerre(order[:, None], a - 1, x)
    series = stats.gamma.pdf(y, a) * (terms * special.eval_genlaguerre(order[:, None], a - 1, y)).sum(axis=0)
    return _gap(jnp.exp(transition_log_prob(jnp.asarray(y), x, a, t)), series)


def _forward_equation() -> float:
    a = 1.6

    def density(y: jax.Array, t: jax.Array) -> jax.Array:
        return jnp.exp(transition_log_prob(y, 0.9, a, t))

    def flux(y: jax.Array, t: jax.Array) -> jax.Array:
        return (a - y) * density(y, t) - jax.grad(lambda y: y * density(y, t))(y)

    worst = 0.0
    for y in (0.3, 1.0, 3.0):
        case = (jnp.asarray(y), jnp.asarray(0.6))
        worst = max(worst, abs(float(jax.grad(density, 1)(*case) + jax.grad(flux)(*case))))
    return worst


def _score() -> float:
    prior, a, snr = np.log([0.5, 0.3, 0.2]), 1.4, 2.0
    v = jnp.asarray(np.random.default_rng(0).gamma(2.0, size=(6, 3)))

    def log_marginal(v: jax.Array) -> jax.Array:
        evidence = log_0f1(jnp.full_like(v, a), snr * v) - snr + jnp.asarray(prior)
        return (jax.nn.logsumexp(evidence, axis=-1) + (stationary_log_prob(v, a)).sum(axis=-1)).sum()

    probabilities = jnp.exp(log_posterior(jnp.asarray(prior), v, snr, a))
    return _gap(scaled_score(probabilities, v, snr, a), v * jax.grad(log_marginal)(v))


def _bridge() -> float:
    x, w, a, s, rest = 1.2, 2.0, 1.3, 0.4, 0.5
    u = np.linspace(0.2, 5, 20)
    ratio = (
        transition_log_prob(jnp.asarray(u), x, a, s)
        + transition_log_prob(w, jnp.asarray(u), a, rest)
        - transition_log_prob(w, x, a, s + rest)
    )
    return _gap(bridge_log_prob(jnp.asarray(u), x, w, a, s, rest), ratio)


def _bridge_mean() -> float:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u = 6 * (nodes + 1)
    density = np.exp(np.asarray(bridge_log_prob(jnp.asarray(u), 1.2, 2.0, 1.3, 0.4, 0.5)))
    return _gap(bridge_mean(1.2, 2.0, 1.3, 0.4, 0.5), (6 * weights * u * density).sum())


def _rank() -> float:
    distribution = RankLaw(500, 8.0)
    ranks = np.arange(1, 501)
    return _gap((1 - distribution.cdf(ranks[:-1])).sum() + 1, distribution.mean())


def _bounds() -> float:
    """By how much the ratio leaves Amos' bounds, which hold for orders of at least -1/2."""
    nu, z = np.meshgrid([-0.5, -0.2, 0.0, 0.3, 1.0, 5.0, 50.0], np.geomspace(1e-3, 1e5, 80))
    ratio = np.asarray(bessel_ratio(jnp.asarray(nu), jnp.asarray(z)))
    low = z / (nu + 0.5 + np.sqrt((nu + 1.5) ** 2 + z**2))
    high = np.minimum(z / (nu + np.sqrt((nu + 2) ** 2 + z**2)), z / (nu + 0.5 + np.sqrt((nu + 0.5) ** 2 + z**2)))
    return float(np.maximum(np.maximum(low - ratio, ratio - high), 0).max())


def _nodes(a: float, high: float, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre's rule on (0, high) in y^(min(a, 1) / 2), in which densities of small shapes are smooth."""
    power = 2 / min(a, 1.0)
    nodes, weights = np.polynomial.legendre.leggauss(count)
    root = high ** (1 / power) * (nodes + 1) / 2
    return root**power, weights * high ** (1 / power) / 2 * power * root ** (power - 1)


def _own_density(x: float, a: float, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes, density times weight, and the scaled score there."""
    y, weight = _nodes(a, _transition(x, a, t).ppf(1 - 1e-15) + 5)
    values = jnp.asarray(y)
    log_prob = transition_log_prob(values, x, a, t)
    slope = jax.vmap(jax.grad(transition_log_prob), (0, None, None, None))(values, x, a, t)
    return y, np.exp(np.asarray(log_prob)) * weight, y * np.asarray(slope)


def _normalised() -> float:
    return _each(lambda x, a, t: _gap(_own_density(x, a, t)[1].sum(), 1.0))


def _mean_score() -> float:
    """E[y score] = -1 for every shape, E[score] = 0 for shapes above 1."""

    def compare(x: float, a: float, t: float) -> float:
        y, density, scaled = _own_density(x, a, t)
        error = _gap((density * scaled).sum(), -1.0)
        return max(error, _gap((density * scaled / y).sum(), 0.0)) if a > 1 else error

    return _each(compare)


def _sum_rule() -> float:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    angle, y = np.pi / 4 * (nodes + 1), 2.3
    first, measure = y * np.sin(angle) ** 2, np.pi / 4 * weights * y * np.sin(2 * angle)
    both = transition_log_prob(jnp.asarray(first), 0.7, 1.5, 0.4)
    both = both + transition_log_prob(jnp.asarray(y - first), 1.1, 2.0, 0.4)
    return _gap((np.exp(np.asarray(both)) * measure).sum(), jnp.exp(transition_log_prob(y, 1.8, 3.5, 0.4)))


def _entropy() -> float:
    """The bound of two categories with probabilities 0.7 and 0.3, by quadrature over both coordinates and log m."""
    prior = np.array([0.7, 0.3])
    v, weight = _nodes(1.0, 160.0, 120)
    pairs = jnp.asarray(np.stack(np.meshgrid(v, v, indexing="ij"), axis=-1))
    nodes, panels = np.polynomial.legendre.leggauss(60)
    low, high = np.log(1e-9), np.log(90.0)

    @jax.jit
    def inner(snr: jax.Array) -> jax.Array:
        evidence = log_0f1(jnp.ones_like(pairs), snr * pairs) - snr
        log_probabilities = jax.nn.log_softmax(jnp.log(prior) + evidence, axis=-1)
        total = jnp.zeros(())
        for k in range(2):
            density = jnp.exp(evidence[..., k] - pairs.sum(-1))
            tokens = jnp.full(pairs.shape[:-1], k)
            here = integrand(log_probabilities, tokens, pairs, snr)
            total = total + prior[k] * jnp.einsum("ij,i,j->", density * here, weight, weight)
        return total

    snrs = np.exp(low + (high - low) * (nodes + 1) / 2)
    values = np.array([float(inner(snr)) for snr in snrs])
    integral = float(((high - low) / 2 * panels * snrs * values).sum())
    return _gap(integral, -(prior * np.log(prior)).sum())


def _slope_of_the_density() -> float:
    def compare(x: float, a: float, t: float) -> float:
        y = _transition(x, a, t).ppf(np.linspace(0.05, 0.95, 20))
        lost, kappa = -np.expm1(-t), np.exp(-t)
        z = 2 / lost * np.sqrt(x * kappa * y)
        ratio = special.ive(a, z) / special.ive(a - 1, z) if x else np.zeros_like(y)
        expected = (a - 1) - y / lost + z / 2 * ratio
        slope = jax.vmap(jax.grad(transition_log_prob), (0, None, None, None))(jnp.asarray(y), x, a, t)
        return _gap(y * np.asarray(slope), expected)

    return _each(compare)


def _edges() -> float:
    """Number of derivatives that are NaN where y, x or the time is close to 0."""
    cases = itertools.product(
        (1e-300, 1e-12, 1.0, 1e4), (0.0, 1e-300, 1.0, 1e4), (0.05, 1.0, 300.0), (1e-12, 1.0, 50.0)
    )
    y, x, a, t = (jnp.asarray(column) for column in zip(*cases, strict=True))
    slopes = jax.jit(jax.vmap(jax.grad(transition_log_prob, (0, 1, 2, 3))))(y, x, a, t)
    return float(sum(jnp.isnan(slope).sum() for slope in slopes))


def _bridge_limits() -> float:
    """The mean tends to the start for a vanishing time before, and to the end for a vanishing time after."""
    before, after = bridge_mean(1.2, 2.0, 1.3, 1e-12, 0.9), bridge_mean(1.2, 2.0, 1.3, 0.9, 1e-12)
    return max(_gap(before, 1.2), _gap(after, 2.0))


def _digits(function: str, dtype: str) -> float:
    """Largest error against 50 digits, in ulp of the value plus its condition numbers."""
    import mpmath as mp

    eps, worst, step = float(jnp.finfo(dtype).eps), 0.0, mp.mpf(10) ** -20
    orders = (-0.999, -0.5, -1e-4, 0.0, 1e-9, 1e-2, 6.25, 99.0, 9999.0)
    with mp.workdps(50):
        for order, argument in itertools.product(orders, (2.0**-40, 2.0**-20, 2.0**-8, 0.5, 7.0, 17.0, 60.0, 1e3, 1e8)):
            nu_given, z_given = np.asarray(order, dtype), np.asarray(argument, dtype)
            nu, z = mp.mpf(float(nu_given)), mp.mpf(float(z_given))
            log_bessel = mp.log(mp.besseli(nu, z))
            in_nu = (mp.log(mp.besseli(nu + step, z)) - log_bessel) / step
            ratio = mp.besseli(nu + 1, z) / mp.besseli(nu, z)
            if function == "ratio":
                exact, got = ratio, bessel_ratio(nu_given, z_given)
                condition = abs(z * (1 - ratio**2) - (2 * nu + 1) * ratio)
            elif function == "log_iv":
                exact, got = log_bessel, log_iv(nu_given, z_given)
                condition = abs(z * ratio + nu) + abs(nu * in_nu)
            elif function == "log_ive":
                exact, got = log_bessel - z, log_ive(nu_given, z_given)
                condition = abs(z * ratio + nu - z) + abs(nu * in_nu)
            else:
                exact = log_bessel + mp.loggamma(nu + 1) - nu * mp.log(z / 2)
                got = log_0f1(nu_given + np.asarray(1, dtype), z_given**2 / 4)
                condition = z * ratio / 2 + abs(exact)
            error = abs(mp.mpf(float(got)) - exact) / (eps * (abs(exact) + condition))
            worst = max(worst, float(error))
    return worst


def _dirichlet() -> float:
    generator = np.random.default_rng(0)
    worst = 0.0
    for alpha in ((0.05, 0.3, 2.0), (1.0, 1.0, 1.0, 1.0), (50.0, 7.0)):
        x = np.clip(generator.dirichlet(alpha, size=10), 1e-9, None)
        x = x / x.sum(axis=1, keepdims=True)
        worst = max(worst, _gap(dirichlet_log_prob(x, np.asarray(alpha)), stats.dirichlet(alpha).logpdf(x.T)))
    return worst


# Checks of flow and reversal: prior, shape, mass, time, and vectors in the paper's coordinates.
_PRIOR, _SHAPE, _MASS, _TIME = np.array([0.6, 0.4]), 1.4, 1.7, 0.8
_VECTORS = np.array([[0.3, 1.1], [2.0, 0.7], [0.9, 3.0]])


def _scores() -> np.ndarray:
    """Scores of the marginal of a noisy token, by finite differences of SciPy's densities."""

    def log_marginal(y: np.ndarray) -> np.ndarray:
        own, other = _transition(_MASS, _SHAPE, _TIME).logpdf(y), _transition(0.0, _SHAPE, _TIME).logpdf(y)
        of_token = np.stack([own[:, 0] + other[:, 1], other[:, 0] + own[:, 1]], axis=1)
        return np.asarray(special.logsumexp(of_token, axis=1, b=_PRIOR))

    step = 1e-5 * np.eye(2)
    slopes = [(log_marginal(_VECTORS + row) - log_marginal(_VECTORS - row)) / 2e-5 for row in step]
    return np.stack(slopes, axis=1)


def _snr_and_scale() -> tuple[float, float, jax.Array]:
    """m, c and the noisy vectors v = c y of `_VECTORS`."""
    snr = float(snr_from_elapsed(_TIME, _MASS))
    c = 1 / -np.expm1(-_TIME)
    return snr, float(c), jnp.asarray(c * _VECTORS)


def _reverse_drift() -> float:
    snr, _, v = _snr_and_scale()
    scaled = scaled_score(jnp.exp(log_posterior(jnp.log(jnp.asarray(_PRIOR)), v, snr, _SHAPE)), v, snr, _SHAPE)
    drift = paper_drift(jnp.asarray(_VECTORS), scaled, _SHAPE)
    return _gap(drift, -(_SHAPE - _VECTORS) + 2 * _VECTORS * _scores() + 2)


def _flow() -> float:
    """dv / d log m against dy/dt = a - 1 - y - y score, by v = c y, dc/dt = -c (c - 1) and d log m = -c dt."""
    snr, c, v = _snr_and_scale()
    slope = _SHAPE - 1 - _VECTORS - _VECTORS * _scores()
    got = velocity(IndependentPrior(_PRIOR, _SHAPE), v, np.log(snr), _SHAPE)
    return _gap(got, _VECTORS * (c - 1) - slope)


def _log_flow() -> float:
    snr, _, v = _snr_and_scale()
    probabilities = jnp.exp(log_posterior(jnp.log(jnp.asarray(_PRIOR)), v, snr, _SHAPE))
    got = paper_log_flow(probabilities, jnp.asarray(_VECTORS), snr, _SHAPE, _MASS)
    return _gap(got, (_SHAPE - 1) / _VECTORS - 1 - _scores())


def _general_process() -> float:
    worst = 0.0
    for a, b, sigma in ((0.04, 1.5, 0.3), (2.0, 0.5, 1.9), (0.1, 3.0, 1.5)):
        process, start, time = CIR(a, b, sigma), 1.3 * a, 0.7 / b
        spread = sigma**2 * -np.expm1(-b * time) / (4 * b)
        distribution: Any = stats.ncx2(4 * a * b / sigma**2, start * np.exp(-b * time) / spread, scale=spread)
        y = distribution.ppf(np.linspace(0.05, 0.95, 10))
        worst = max(worst, _gap(process.transition_log_prob(y, start, time), distribution.logpdf(y)))
        worst = max(worst, _gap(process.transition_cdf(y, start, time), distribution.cdf(y)))
        worst = max(worst, _gap(process.transition_mean(start, time), distribution.mean()))
        worst = max(worst, _gap(process.transition_variance(start, time), distribution.var()))
        stationary: Any = stats.gamma(2 * a * b / sigma**2, scale=sigma**2 / (2 * b))
        worst = max(worst, _gap(process.stationary_log_prob(y), stationary.logpdf(y)))
    return worst


def _squared_ou() -> float:
    """Largest distance of distribution functions; for 100,000 exact draws it exceeds the bound with probability
    1e-3."""
    worst = 0.0
    for d in (1, 3):
        draws = squared_ou_sample(jax.random.key(d), np.full(100_000, 1.5), d, 0.7)
        worst = max(worst, float(stats.kstest(np.asarray(draws), _transition(1.5, d / 2, 0.7).cdf).statistic))
    return worst


def _jacobi() -> float:
    """The series with SciPy's polynomials, normalised by their known integrals."""
    x, y, clock, n = 0.3, np.linspace(0.05, 0.95, 15), 0.1, np.arange(40)[:, None]
    worst = 0.0
    for first, second in ((1.5, 0.7), (1.0, 1.0), (3.0, 2.0)):
        p, q = second - 1, first - 1
        # Gamma(n + 1 + p + q) / (2n + 1 + p + q) at n = 0 is that of one factor less.
        top = np.where(n == 0, special.gammaln(p + q + 2), special.gammaln(n + p + q + 1) + np.log(2 * n + p + q + 1))
        log_norm = special.gammaln(n + p + 1) + special.gammaln(n + q + 1) - special.gammaln(n + 1) - top
        values = special.eval_jacobi(n, p, q, 2 * x - 1) * special.eval_jacobi(n, p, q, 2 * y - 1)
        terms = np.exp(-n * (n + first + second - 1) * clock - log_norm + special.betaln(first, second)) * values
        distribution: Any = stats.beta(first, second)
        worst = max(worst, _gap(jacobi_density(y, x, (first, second), clock), distribution.pdf(y) * terms.sum(0)))
    return worst


CHECKS = (
    Check("log I, scaled", "scipy.special.ive", _ive, 1e-12),
    Check("ratio of I at orders -1/2 and 1/2", "tanh z, coth z - 1/z", _half_integers, 1e-13),
    Check("ratio of I", "its bounds by Amos", _bounds, 1e-15),
    Check("log 0F1", "scipy.special.hyp0f1", _hypergeometric, 1e-12),
    Check("Dirichlet density (eq. 2)", "scipy.stats.dirichlet", _dirichlet, 1e-12),
    Check("general process (eqs. 3, 5 to 8)", "scipy.stats.ncx2, gamma", _general_process, 1e-10),
    Check("log density (eq. 8)", "scipy.stats.ncx2", _log_density, 1e-10),
    Check("distribution function", "scipy.stats.ncx2", _distribution, 1e-9),
    Check("quantiles", "scipy.stats.ncx2", _quantiles, 1e-8),
    Check("mean and variance (eqs. 5, 6)", "scipy.stats.ncx2", _moments, 1e-12),
    Check("normalisation", "quadrature", _normalised, 1e-9),
    Check("slope of the log density", "scipy.special.ive", _slope_of_the_density, 1e-11),
    Check("mean of score and scaled score", "0 and -1, by parts", _mean_score, 1e-8),
    Check("derivatives at the edges", "number of those that are NaN", _edges, 0.5),
    Check("Laplace transform", "quadrature", _laplace, 1e-8),
    Check("sum of two processes", "quadrature of a convolution", _sum_rule, 1e-10),
    Check("reversibility", "both orders of the joint density", _reversible, 1e-12),
    Check("Chapman-Kolmogorov", "quadrature over the middle", _two_steps, 1e-8),
    Check("log density (eq. 8)", "Laguerre series", _spectral, 1e-9),
    Check("forward equation", "automatic differentiation", _forward_equation, 1e-9),
    Check("scaled score of a marginal", "automatic differentiation", _score, 1e-10),
    Check("reverse drift (eq. 13)", "SciPy's marginal, differenced", _reverse_drift, 1e-7),
    Check("flow (eqs. 15, 16)", "SciPy's marginal, differenced", _flow, 1e-7),
    Check("flow of the logarithm (eq. 17)", "SciPy's marginal, differenced", _log_flow, 1e-7),
    Check("squared OU processes", "scipy.stats.ncx2, distance", _squared_ou, 6.2e-3),
    Check("Jacobi density", "scipy.special.eval_jacobi", _jacobi, 1e-9),
    Check("bridge density", "Bayes' rule on transitions", _bridge, 1e-11),
    Check("bridge mean", "quadrature", _bridge_mean, 1e-8),
    Check("bridge mean", "both ends in the limit", _bridge_limits, 1e-9),
    Check("bound of an exact posterior", "entropy, by quadrature", _entropy, 1e-6),
    Check("mean rank", "sum over the distribution", _rank, 1e-8),
)
# In ulp of the value plus its condition numbers; only where mpmath is installed.
DIGITS = tuple(
    Check(f"{name}, {dtype}, in ulp", "mpmath, 50 digits", partial(_digits, function, dtype), bound)
    for (name, function, bound), dtype in itertools.product(
        (
            ("log I", "log_iv", 20.0),
            ("log I, scaled", "log_ive", 20.0),
            ("ratio of I", "ratio", 5.0),
            ("log 0F1", "log_0f1", 5.0),
        ),
        ("float64", "float32"),
    )
)
