"""The process: its transition by identities of the theory, limits and errors."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from onepaper.errors import UsageError
from scipy import integrate, special, stats

from simplex_cir.process.bridge import bridge_sample
from simplex_cir.process.cir import (
    CIR,
    dirichlet_log_prob,
    dirichlet_sample,
    laplace_transform,
    noise_tokens,
    stationary_log_prob,
    stationary_sample,
    transition_cdf,
    transition_log_prob,
    transition_mean,
    transition_quantile,
    transition_sample,
    transition_variance,
)


def distribution(start: float, a: float, elapsed: float):
    """The transition by scipy."""
    noise = -np.expm1(-elapsed)
    if start == 0:
        return stats.gamma(a, scale=noise)
    return stats.ncx2(2 * a, 2 * start * np.exp(-elapsed) / noise, scale=noise / 2)


def grid(high: float, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre quadrature on [0, high] in the square root, accurate for the density near 0."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    root = np.sqrt(high) * (nodes + 1) / 2
    return root**2, weights * np.sqrt(high) * root


scores = jax.jit(jax.vmap(jax.grad(transition_log_prob), (0, None, None, None)))


def density(value, start, a: float, elapsed: float) -> np.ndarray:
    return np.exp(np.asarray(transition_log_prob(value, start, a, elapsed)))


@pytest.mark.parametrize("kappa", [1e-6, 0.1, 0.9, 1 - 1e-6])
def test_density_is_scipys(kappa: float) -> None:
    """scipy's ncx2 over a wide grid where it is finite: 1e-10 relative to 1 + |log f| + its conditions."""
    with jax.enable_x64(True):
        a, x, y = np.meshgrid([0.05, 0.5, 1.0, 1.5, 10.0, 300.0], [1e-12, 0.3, 2.0, 1e4], [1e-12, 0.2, 3.0, 1e4])
        elapsed = -np.log(kappa)
        c = 1 / (1 - kappa)
        with np.errstate(all="ignore"):
            expected = stats.ncx2.logpdf(2 * c * y, 2 * a, 2 * c * kappa * x) + np.log(2 * c)
        usable = np.isfinite(expected) & (2 * c * np.sqrt(kappa * x * y) < 700) & (expected > -1e5)
        got = np.asarray(transition_log_prob(y, x, a, elapsed))
        scale = 1 + abs(expected) + c * (y + x) + a
        assert usable.sum() >= 5
        assert (abs(got - expected) < 1e-10 * scale)[usable].all()
        assert not np.isnan(got).any()


@pytest.mark.parametrize("a", [0.5, 1.0, 1.7, 10.0])
def test_integrals_of_density_and_score(a: float) -> None:
    """Mass 1; E[y score] = -1; E[score] = 0 for a > 1; mean, variance and Laplace transform."""
    with jax.enable_x64(True):
        x, elapsed = 1.3, 0.4
        y, weights = grid(60.0)
        f = density(y, x, a, elapsed) * weights
        score = np.asarray(scores(jnp.asarray(y), x, a, elapsed))
        assert f.sum() == pytest.approx(1, abs=1e-10)
        assert (f * y * score).sum() == pytest.approx(-1, abs=1e-9)
        if a >= 1.7:
            assert (f * score).sum() == pytest.approx(0, abs=1e-6)
        mean = float(transition_mean(x, a, elapsed))
        assert (f * y).sum() == pytest.approx(mean, rel=1e-10)
        assert (f * (y - mean) ** 2).sum() == pytest.approx(float(transition_variance(x, a, elapsed)), rel=1e-9)
        assert (f * np.exp(-0.7 * y)).sum() == pytest.approx(float(laplace_transform(0.7, x, a, elapsed)), rel=1e-10)


def test_moments_as_corrected() -> None:
    """The mean as printed has theta_0 - 1 for theta_0 - a, which is correct for a = 1 only."""
    kappa = np.exp(-0.5)
    assert float(transition_mean(3.0, 2.0, 0.5)) == pytest.approx(2 + kappa * (3 - 2))
    assert float(transition_mean(3.0, 2.0, 0.5)) != pytest.approx(2 + kappa * (3 - 1))
    expected = 2 + 2 * kappa * (3 - 2) + kappa**2 * (2 - 2 * 3)
    assert float(transition_variance(3.0, 2.0, 0.5)) == pytest.approx(expected)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_chapman_kolmogorov_reversibility_additivity(a: float) -> None:
    with jax.enable_x64(True):
        x, y, first, second = 0.8, 1.9, 0.3, 0.5
        u, weights = grid(60.0)
        through = (density(u, x, a, first) * density(y, u, a, second) * weights).sum()
        assert through == pytest.approx(float(density(y, x, a, first + second)), rel=1e-9)
        forward = stationary_log_prob(x, a) + transition_log_prob(y, x, a, first)
        backward = stationary_log_prob(y, a) + transition_log_prob(x, y, a, first)
        assert float(forward) == pytest.approx(float(backward), abs=1e-13)
        # The sum of processes of shapes a and 1.5 from x and 0.5: the convolution on [0, y], in sin^2 of an angle.
        nodes, weights = np.polynomial.legendre.leggauss(200)
        angle = np.pi / 4 * (nodes + 1)
        part, measure = y * np.sin(angle) ** 2, np.pi / 4 * weights * y * np.sin(2 * angle)
        convolved = (density(part, x, a, first) * density(y - part, 0.5, 1.5, first) * measure).sum()
        assert convolved == pytest.approx(float(density(y, x + 0.5, a + 1.5, first)), rel=1e-8)


@pytest.mark.parametrize("a", [0.4, 1.0, 2.5])
def test_spectral_series(a: float) -> None:
    """Hille and Hardy: Gamma(y; a) sum_j kappa^j j! Gamma(a)/Gamma(a+j) L_j(x) L_j(y)."""
    kappa, x, y = 0.5, 0.7, 2.1
    j = np.arange(100)
    norms = special.gammaln(j + 1) + special.gammaln(a) - special.gammaln(a + j)
    polynomials = special.eval_genlaguerre(j, a - 1, x) * special.eval_genlaguerre(j, a - 1, y)
    expected = stats.gamma(a).pdf(y) * (kappa**j * np.exp(norms) * polynomials).sum()
    with jax.enable_x64(True):
        assert float(density(y, x, a, -np.log(kappa))) == pytest.approx(expected, rel=1e-11)


def test_forward_equation() -> None:
    """d_t f = -d_y[(a - y) f] + d_yy[y f], all by automatic differentiation."""

    def terms(a, x, y, t):
        def f(value, time):
            return jnp.exp(transition_log_prob(value, x, a, time))

        transport = jax.grad(lambda value: (a - value) * f(value, t))(y)
        diffusion = jax.grad(jax.grad(lambda value: value * f(value, t)))(y)
        return jax.grad(f, 1)(y, t), transport, diffusion

    with jax.enable_x64(True):
        points = [(a, *p) for a in (0.7, 1.0, 4.0) for p in ((0.5, 0.8, 0.3), (2.0, 1.0, 1.0), (30.0, 25.0, 0.05))]
        in_time, transport, diffusion = jax.jit(jax.vmap(terms))(*(jnp.asarray(c) for c in zip(*points, strict=True)))
        assert (abs(in_time + transport - diffusion) < 1e-6 * (abs(transport) + abs(diffusion))).all()


@pytest.mark.parametrize("a", [0.2, 1.3])
def test_samples_follow_the_distribution(a: float) -> None:
    start = jnp.asarray([0.0, 1e-3, 2.0])
    elapsed = jnp.asarray([0.7, 0.01, 3.0])
    value = np.asarray(transition_sample(jax.random.key(3), start, a, elapsed, shape=(6_000, 3)), float)
    for i in range(3):
        assert stats.kstest(value[:, i], distribution(float(start[i]), a, float(elapsed[i])).cdf).pvalue > 1e-3


def test_traced_shape_gives_the_same_distribution() -> None:
    """A traced shape is decided for each element; means and variances of five processes."""
    a = jnp.asarray([0.1, 0.49, 0.5, 1.0, 7.0])
    draw = jax.jit(lambda key, a: transition_sample(key, 1.5, a, 0.6, shape=(1_600, 5)))
    value = np.asarray(draw(jax.random.key(4), a), float)
    mean, variance = transition_mean(1.5, a, 0.6), transition_variance(1.5, a, 0.6)
    assert (abs(value.mean(0) - mean) < 4 * np.sqrt(variance / 1_600)).all()
    np.testing.assert_allclose(value.var(0), variance, rtol=0.3)


def test_limits_in_time() -> None:
    start = jnp.asarray([0.0, 0.3, 7.123456])
    key = jax.random.key(0)
    for a in (0.2, 1.0):
        stays = transition_sample(key, start, a, 0.0, shape=(6_000, 3))
        assert (stays == start).all()
        value = np.asarray(transition_sample(key, 3.0, a, np.inf, shape=(6_000, 3)), float)[:, 0]
        assert stats.kstest(value, stats.gamma(a).cdf).pvalue > 1e-3
        np.testing.assert_allclose(transition_log_prob(0.4, 9.0, a, np.inf), stats.gamma(a).logpdf(0.4), rtol=1e-5)
        np.testing.assert_allclose(transition_cdf(0.4, 9.0, a, np.inf), stats.gamma(a).cdf(0.4), rtol=1e-5)
    assert transition_log_prob(np.array([0.3, 0.4]), 0.3, 1.0, 0.0).tolist() == [np.inf, -np.inf]
    assert transition_cdf(np.array([0.2, 0.3, 0.4]), 0.3, 1.0, 0.0).tolist() == [0, 1, 1]
    assert transition_quantile(0.3, 0.7, 1.0, 0.0) == np.float32(0.7)
    # 1 - kappa = 1e-12, far below the resolution of kappa in float32: the draw equals the start up to its deviation.
    near = np.asarray(transition_sample(key, 2.0, 1.0, 1e-12, shape=(6_000, 3)))[:100]
    np.testing.assert_allclose(near, 2.0, atol=1.2e-5)


def test_short_times_are_accurate() -> None:
    """f(y|x) tends to the Gaussian of variance 2 x t: at t = 1e-10 within the digits of y - x."""
    with jax.enable_x64(True):
        x, t = 1.5, 1e-10
        spread = np.sqrt(2 * x * t)
        got = transition_log_prob(x + spread, x, 1.2, t)
        assert float(got) == pytest.approx(stats.norm.logpdf(1.0) - np.log(spread), abs=1e-4)


def test_gradients_have_no_nan() -> None:
    def total(y, x, a, t):
        return transition_log_prob(y, x, a, t)

    slopes = jax.jit(jax.grad(total, (0, 1, 2, 3)))
    for a in (0.5, 1.0, 2.0):
        for y, x, t in ((0.4, 0.0, 0.5), (0.4, 1.0, 0.5), (0.4, 1.0, 30.0), (0.4, 0.0, 30.0)):
            assert np.isfinite(jnp.stack(slopes(y, x, a, t))).all(), (a, y, x, t)
    # At y = 0 only a = 1 has a finite density: score -c + c^2 kappa x.
    c, kappa = 1 / -np.expm1(-0.5), np.exp(-0.5)
    assert float(jax.grad(total)(0.0, 0.3, 1.0, 0.5)) == pytest.approx(-c + c**2 * kappa * 0.3, rel=1e-5)


def test_quantile_inverts() -> None:
    with jax.enable_x64(True):
        p = jnp.asarray([1e-6, 0.5, 0.999])
        y = transition_quantile(p, 2.0, 1.3, 0.4)
        np.testing.assert_allclose(transition_cdf(y, 2.0, 1.3, 0.4), p, rtol=1e-8)


def test_general_parameters() -> None:
    """CIR(a, b, sigma) against scipy with scale sigma^2 / (4 b) per degree of freedom 4ab/sigma^2."""
    with jax.enable_x64(True):
        process, x, time = CIR(a=0.8, b=1.7, sigma=0.9), 1.1, 0.35
        kappa = np.exp(-1.7 * 0.35)
        scale = 0.81 * (1 - kappa) / (4 * 1.7)
        distribution = stats.ncx2(4 * 0.8 * 1.7 / 0.81, x * kappa / scale, scale=scale)
        y = np.array([0.2, 0.9, 2.5])
        np.testing.assert_allclose(
            process.transition_log_prob(y, x, time), distribution.logpdf(y), rtol=1e-11, atol=1e-12
        )
        np.testing.assert_allclose(process.transition_cdf(y, x, time), distribution.cdf(y), rtol=1e-9)
        np.testing.assert_allclose(
            process.transition_quantile(np.array([0.1, 0.6, 0.8]), x, time),
            distribution.ppf([0.1, 0.6, 0.8]),
            rtol=1e-9,
        )
        assert float(process.transition_mean(x, time)) == pytest.approx(distribution.mean(), rel=1e-12)
        assert float(process.transition_variance(x, time)) == pytest.approx(distribution.var(), rel=1e-12)
        laplace = integrate.quad(lambda v: np.exp(-0.6 * v) * distribution.pdf(v), 0, 20)[0]
        assert float(process.laplace_transform(0.6, x, time)) == pytest.approx(laplace, rel=1e-8)
        draws = np.asarray(process.transition_sample(jax.random.key(5), x, time, shape=(2_000,)))
        assert stats.kstest(draws, distribution.cdf).pvalue > 1e-3
        stationary = stats.gamma(process.shape, scale=process.scale)
        np.testing.assert_allclose(process.stationary_log_prob(y), stationary.logpdf(y), rtol=1e-11)
        draws = np.asarray(process.stationary_sample(jax.random.key(6), (2_000,)))
        assert stats.kstest(draws, stationary.cdf).pvalue > 1e-3
        assert process.is_positive
        assert not CIR(a=0.1, b=1.0, sigma=1.0).is_positive


def test_dirichlet_marginals_and_independence_of_the_sum() -> None:
    alpha = np.array([0.05, 1.0, 3.0, 50.0])
    x = np.asarray(dirichlet_sample(jax.random.key(7), alpha, shape=(1_800,)), float)
    np.testing.assert_allclose(x.sum(-1), 1, rtol=1e-5)
    for i in (1, 2, 3):
        assert stats.kstest(x[:, i], stats.beta(alpha[i], alpha.sum() - alpha[i]).cdf).pvalue > 1e-3
    sparse = dirichlet_sample(jax.random.key(7), jnp.full(4, 1e-3), shape=(1_800,))
    np.testing.assert_allclose(sparse.sum(-1), 1, rtol=1e-5)
    y = np.asarray(stationary_sample(jax.random.key(9), alpha, shape=(1_800, 4)), float)
    assert stats.spearmanr(y[:, 2] / y.sum(-1), y.sum(-1)).pvalue > 1e-3
    point = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(dirichlet_log_prob(point, alpha), stats.dirichlet(alpha).logpdf(point), rtol=1e-5)


@pytest.mark.parametrize("a", [1.0, np.array([0.5, 2.0, 1.0])])
def test_noised_tokens_follow_their_distributions(a) -> None:
    tokens = np.tile([0, 2], 2_000)
    v = np.asarray(noise_tokens(jax.random.key(10), tokens, 3, a, 2.5), float)
    shapes = np.broadcast_to(a, 3)
    for i in range(3):
        assert stats.kstest(v[(tokens != i) & (tokens != 1), i], stats.gamma(shapes[i]).cdf).pvalue > 1e-3
        if i != 1:
            assert stats.kstest(v[tokens == i, i], stats.ncx2(2 * shapes[i], 5.0, scale=0.5).cdf).pvalue > 1e-3
    assert abs(stats.spearmanr(v[::2, 0], v[::2, 1]).statistic) < 0.08


def test_noised_tokens_shapes_and_levels() -> None:
    v = noise_tokens(jax.random.key(0), jnp.zeros((2, 5), int), 4, 1.0, jnp.asarray([[0.0], [1e6]]))
    assert v.shape == (2, 5, 4)
    assert v.dtype == jnp.float32
    np.testing.assert_allclose(v[1, :, 0], 1e6, rtol=0.01)
    assert noise_tokens(jax.random.key(0), jnp.zeros((0, 3), int), 2, 1.0, 1.0).shape == (0, 3, 2)
    assert noise_tokens(jax.random.key(0), jnp.asarray(0), 1, 1.0, 1.0).shape == (1,)


def test_accuracy_of_the_distribution_at_tiny_times() -> None:
    """Against the density integrated in 30 digits; the error is that of rounding value and start."""
    with jax.enable_x64(True), mp.workdps(30):
        for start, a, t in ((1.0, 0.5, 1e-6), (50.0, 3.0, 1e-9), (1.0, 1.3, 1e-12)):
            value = float(np.asarray(start + 0.7 * (2 * start * t) ** 0.5))
            lost = -mp.expm1(-mp.mpf(t))
            root, mean = mp.sqrt(value / lost), mp.sqrt(start * mp.exp(-mp.mpf(t)) / lost)

            def density(r: mp.mpf, a: float = a, mean: mp.mpf = mean) -> mp.mpf:
                return (
                    2
                    * r
                    * (r / mean) ** (a - 1)
                    * mp.exp(-((r - mean) ** 2) - 2 * r * mean)
                    * mp.besseli(a - 1, 2 * r * mean)
                )

            exact = 1 - mp.quad(density, mp.linspace(root, root + 8, 5))
            assert abs(float(transition_cdf(value, start, a, t)) - float(exact)) < 4e-16 * (start / t) ** 0.5


@pytest.mark.slow
def test_draws_are_differentiated_at_fixed_quantiles() -> None:
    """Each derivative is that of the quantile at the draw's own probability, by differences of quantiles."""
    with jax.enable_x64(True):
        key, step = jax.random.key(11), 1e-5
        for point in ((2.0, 0.3, 0.7), (0.0, 1.0, 0.7), (1.5, 6.0, 2.0), (80.0, 2.5, 0.2)):

            def draw(*arguments):
                return transition_sample(key, *arguments, shape=(40,))

            for index in range(3):
                # A traced shape has other draws than a number.
                value, slope = jax.jvp(draw, point, tuple(float(index == other) for other in range(3)))
                p = transition_cdf(value, *point)
                low, high = list(point), list(point)
                low[index], high[index] = max(point[index] - step, 0.0), point[index] + step
                change = transition_quantile(p, *high) - transition_quantile(p, *low)
                np.testing.assert_allclose(slope, change / (high[index] - low[index]), rtol=2e-5, atol=2e-6)


@pytest.mark.slow
def test_mean_derivatives_of_draws() -> None:
    """Means of pathwise derivatives are derivatives of means: kappa in the start, 1 - kappa in the shape."""
    key, kappa = jax.random.key(12), np.exp(-0.7)
    slope = jax.grad(lambda x, a: transition_sample(key, x, a, 0.7, shape=(2_000,)).mean(), (0, 1))(2.0, 0.3)
    np.testing.assert_allclose(slope, (kappa, 1 - kappa), rtol=0.05)
    alpha, token = jnp.array([0.4, 1.0, 2.0]), np.zeros(1_000, int)
    by_shape, by_snr = jax.jacfwd(lambda a, m: noise_tokens(key, token, 3, a, m).mean(0), (0, 1))(alpha, 2.5)
    np.testing.assert_allclose(by_shape, np.eye(3), atol=0.12)
    np.testing.assert_allclose(by_snr, [1, 0, 0], atol=0.1)
    weights = jnp.array([1.0, -2.0, 0.5])
    slope = jax.grad(lambda alpha: (dirichlet_sample(key, alpha, shape=(1_000,)) @ weights).mean())(alpha)
    np.testing.assert_allclose(slope, jax.grad(lambda alpha: alpha @ weights / alpha.sum())(alpha), atol=0.1)


def test_random_counts_are_not_differentiated() -> None:
    key = jax.random.key(0)
    with pytest.raises(UsageError, match="random counts .* have no pathwise derivative"):
        jax.jvp(lambda x: bridge_sample(key, x, 1.0, 1.0, 0.5, 0.5), (0.7,), (1.0,))


def test_general_process_under_transformations() -> None:
    """`CIR` is a pytree: gradients in its parameters by differences, one process for each row under vmap."""
    with jax.enable_x64(True):
        process = CIR(0.8, 1.7, 0.9)

        def log_prob(process):
            return process.transition_log_prob(0.9, 1.1, 0.35)

        slopes = jax.jit(jax.grad(log_prob))(process)
        for name in ("a", "b", "sigma"):
            near = [replace(process, **{name: getattr(process, name) + step}) for step in (-1e-5, 1e-5)]
            expected = float(log_prob(near[1]) - log_prob(near[0])) / 2e-5
            assert float(getattr(slopes, name)) == pytest.approx(expected, rel=1e-7)
        rows = jax.vmap(lambda a, b, sigma: log_prob(CIR(a, b, sigma)))(*np.array([[0.8, 1.7, 0.9], [1.0, 1.0, 1.0]]).T)
        np.testing.assert_allclose(rows, [log_prob(process), log_prob(CIR(1.0, 1.0, 1.0))], rtol=1e-12)
    with pytest.raises(UsageError, match="sigma is -1.0"):
        CIR(sigma=jnp.array(-1.0))


def test_infinite_snr_is_the_token() -> None:
    for a in (1.0, np.array([0.5, 1.0, 2.0])):
        v = noise_tokens(jax.random.key(0), np.array([2, 0]), 3, a, np.array([np.inf, 1.0]))
        assert np.isinf(v[0]).tolist() == [False, False, True]
        assert np.isfinite(v[1]).all()
