r"""The CIR process: transition, stationary distribution, noisy tokens (paper, sections 2.1 and 2.2).

Canonical form, one coordinate (paper, eq. 9): $dY = b (a - Y)\, dt + \sqrt{2 b Y}\, dW$, with the stationary
distribution Gamma(a, 1). Functions take `elapsed` $= \int b\, dt$, the dimensionless time, so a time-dependent speed
needs no further argument. With
$\kappa = e^{-\text{elapsed}}$ and $c = 1/(1-\kappa)$, given the start x,

$$c\, Y_t \sim \mathrm{Gamma}(a + N, 1), \qquad N \sim \mathrm{Poisson}(c \kappa x),$$

half a non-central chi-squared variable (paper, eqs. 7 and 8); elapsed = 0 gives x and inf the stationary distribution,
exactly. All arguments broadcast; the dtype follows them. Values out of range raise where they are concrete, and give
NaN inside jit. `CIR` has the same functions for $d\theta = b(a - \theta) dt + \sigma \sqrt\theta\, dW$.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.scipy.special import gammaln
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError

from simplex_cir.process.noncentral_gamma import (
    at_fixed_quantile,
    noncentral_gamma_cdf,
    noncentral_gamma_log_prob,
    noncentral_gamma_quantile,
    noncentral_gamma_sample,
)
from simplex_cir.random.variates import (
    exponential_sample,
    gamma_sample,
    log_gamma_sample,
    poisson_sample,
)
from simplex_cir.special.powers import log_power

Scalar = float | Float[Array, "..."]
# Stationary shapes: one for all categories, or one for each.
Shape = ArrayLike | tuple[float, ...]


def transition_sample(
    key: PRNGKeyArray, start: ArrayLike, a: ArrayLike, elapsed: ArrayLike, *, shape: tuple[int, ...] | None = None
) -> Float[Array, "..."]:
    r"""Exact draws of Y_t given Y_0 = start, for any elapsed time (paper, eq. 7).

    Args:
        start: Y_0 >= 0.
        a: shape, above 0. Where it is concrete (not traced), the fastest method for its value is chosen.
        elapsed: time times speed, 0 to inf; 0 returns `start` itself.
        shape: shape of the draws, to which the arguments broadcast; by default their common shape.

    Draws are differentiable in start, a and elapsed, with their quantile held fixed: the mean derivative in the start
    is $\kappa$. At elapsed = 0 they have no derivative in time.

    Raises:
        UsageError: a negative start or time, or a <= 0, or a dtype below float32.
    """
    route = route_of(a)
    shape, arrays = cast_arguments(shape, start=start, a=a, elapsed=elapsed)
    return _transition_sample(key, *arrays, shape=shape, route=route)


@partial(jax.jit, static_argnames=("shape", "route"))
def _transition_sample(
    key: PRNGKeyArray, start: Array, a: Array, elapsed: Array, *, shape: tuple[int, ...], route: str
) -> Array:
    start, a, elapsed = (scalar_or_broadcast(shape, x) for x in (start, a, elapsed))
    noise, signal = -jnp.expm1(-elapsed), start * jnp.exp(-elapsed)
    value = noncentral_gamma_sample(key, a, signal, noise, shape=shape, route=route)
    valid = (start >= 0) & (a > 0) & (elapsed >= 0)
    return jnp.where(valid, jnp.where(elapsed == 0, start, value), jnp.nan)


def transition_log_prob(value: ArrayLike, start: ArrayLike, a: ArrayLike, elapsed: ArrayLike) -> Float[Array, "..."]:
    r"""Log density of Y_t at `value` given Y_0 = start (paper, eq. 8), differentiable in all arguments.

    $$\log f(y|x) = \log c - c (\kappa x + y) + \tfrac{a-1}{2} \log \frac{y}{\kappa x}
    + \log I_{a-1}(2 c \sqrt{\kappa x y}),$$

    computed with the exponent as a completed square (`simplex_cir.process.noncentral_gamma`). -inf below 0; at
    elapsed = 0 the density of a point mass, inf at `start`. Arguments as for `transition_sample`.
    """
    return _transition_log_prob(*cast_arguments(None, value=value, start=start, a=a, elapsed=elapsed)[1])


@jax.jit
def _transition_log_prob(value: Array, start: Array, a: Array, elapsed: Array) -> Array:
    value, start, a, elapsed = jnp.broadcast_arrays(value, start, a, elapsed)
    noise, moving = _noise(elapsed)
    scaled, mean_count, difference = _coordinates(jnp.where(value < 0, 1.0, value), start, elapsed, noise)
    log_prob = noncentral_gamma_log_prob(scaled, a, mean_count, difference) - jnp.log(noise)
    log_prob = jnp.where(value < 0, -jnp.inf, log_prob)
    log_prob = jnp.where(moving, log_prob, jnp.where(value == start, jnp.inf, -jnp.inf))
    return jnp.where(_valid(value, start, a, elapsed), log_prob, jnp.nan)


def transition_cdf(value: ArrayLike, start: ArrayLike, a: ArrayLike, elapsed: ArrayLike) -> Float[Array, "..."]:
    r"""P(Y_t <= value | Y_0 = start). Arguments as for `transition_log_prob`.

    The absolute error is about 1e-13 in float64 and 1e-5 in float32; for times t far below the start x it is about
    $\epsilon \sqrt{x / t}$, the rounding of value and start relative to the standard deviation: 1e-10 at x = 1, t =
    1e-12.
    """
    return _transition_cdf(*cast_arguments(None, value=value, start=start, a=a, elapsed=elapsed)[1])


@jax.jit
def _transition_cdf(value: Array, start: Array, a: Array, elapsed: Array) -> Array:
    value, start, a, elapsed = jnp.broadcast_arrays(value, start, a, elapsed)
    noise, moving = _noise(elapsed)
    scaled, mean_count, _ = _coordinates(jnp.where(value > 0, value, 1.0), start, elapsed, noise)
    cdf = jnp.where(value > 0, noncentral_gamma_cdf(scaled, a, mean_count), 0.0)
    cdf = jnp.where(moving, cdf, (value >= start).astype(cdf.dtype))
    return jnp.where(_valid(value, start, a, elapsed), cdf, jnp.nan)


def transition_quantile(
    probability: ArrayLike, start: ArrayLike, a: ArrayLike, elapsed: ArrayLike
) -> Float[Array, "..."]:
    """The y with `transition_cdf(y) = probability`: 0 at probability 0, inf at 1, NaN outside [0, 1]."""
    _, arguments = cast_arguments(None, probability=probability, start=start, a=a, elapsed=elapsed)
    return _transition_quantile(*arguments)


@jax.jit
def _transition_quantile(probability: Array, start: Array, a: Array, elapsed: Array) -> Array:
    probability, start, a, elapsed = jnp.broadcast_arrays(probability, start, a, elapsed)
    noise, moving = _noise(elapsed)
    mean_count = start * jnp.exp(-elapsed) / noise
    quantile = jnp.where(moving, noise * noncentral_gamma_quantile(probability, a, mean_count), start)
    valid = _valid(probability, start, a, elapsed) & (probability >= 0) & (probability <= 1)
    return jnp.where(valid, quantile, jnp.nan)


def transition_mean(start: ArrayLike, a: ArrayLike, elapsed: ArrayLike) -> Float[Array, "..."]:
    r"""$E[Y_t | x] = \kappa x + (1 - \kappa) a$ (paper, eq. 5, whose last form holds for a = 1 only)."""
    start, a, elapsed = checked_arguments(None, start=start, a=a, elapsed=elapsed)
    return start * jnp.exp(-elapsed) - a * jnp.expm1(-elapsed)


def transition_variance(start: ArrayLike, a: ArrayLike, elapsed: ArrayLike) -> Float[Array, "..."]:
    r"""$\mathrm{Var}[Y_t | x] = 2 x \kappa (1 - \kappa) + a (1 - \kappa)^2$ (paper, eq. 6)."""
    start, a, elapsed = checked_arguments(None, start=start, a=a, elapsed=elapsed)
    noise = -jnp.expm1(-elapsed)
    return noise * (2 * start * jnp.exp(-elapsed) + a * noise)


def laplace_transform(frequency: ArrayLike, start: ArrayLike, a: ArrayLike, elapsed: ArrayLike) -> Float[Array, "..."]:
    r"""$E[e^{-l Y_t} | x] = (1 + l (1-\kappa))^{-a} \exp\left(-\frac{l \kappa x}{1 + l (1-\kappa)}\right)$, l > -c."""
    frequency, start, a, elapsed = checked_arguments(None, frequency=frequency, start=start, a=a, elapsed=elapsed)
    spread = -frequency * jnp.expm1(-elapsed)
    return jnp.exp(-a * jnp.log1p(spread) - frequency * start * jnp.exp(-elapsed) / (1 + spread))


def stationary_sample(key: PRNGKeyArray, a: ArrayLike, *, shape: tuple[int, ...] | None = None) -> Float[Array, "..."]:
    """Draws from Gamma(a, 1), the stationary distribution (paper, section 2.2)."""
    route = route_of(a)
    shape, (shapes,) = cast_arguments(shape, a=a)
    return _stationary_sample(key, shapes, shape=shape, route=route)


@partial(jax.jit, static_argnames=("shape", "route"))
def _stationary_sample(key: PRNGKeyArray, a: Array, *, shape: tuple[int, ...], route: str) -> Array:
    if route == "exponential":
        return exponential_sample(key, shape, a.dtype)
    a = scalar_or_broadcast(shape, a)
    return gamma_sample(key, jnp.where(a > 0, a, jnp.nan), shape=shape)


def stationary_log_prob(value: ArrayLike, a: ArrayLike) -> Float[Array, "..."]:
    r"""$(a - 1) \log y - y - \log \Gamma(a)$ (paper, eq. 4); `transition_log_prob` for elapsed = inf."""
    return transition_log_prob(value, jnp.zeros_like(jnp.asarray(value)), a, jnp.inf)


def dirichlet_sample(
    key: PRNGKeyArray, alpha: Float[ArrayLike, "*batch n"], *, shape: tuple[int, ...] = ()
) -> Float[Array, "*shape n"]:
    """Draws X = Y / sum Y of Dirichlet(alpha) (paper, eq. 2).

    Normalised from logarithms, so that small alpha gives no 0 / 0.
    """
    alpha = alpha if isinstance(alpha, Array) else np.asarray(alpha)
    if alpha.size == 0 or alpha.ndim == 0:
        raise UsageError(f"alpha has shape {alpha.shape}, expected one entry for each category")
    (alpha,) = checked_arguments((*shape, *alpha.shape), alpha=alpha)
    return _dirichlet_sample(key, alpha)


@jax.jit
def _dirichlet_sample(key: PRNGKeyArray, alpha: Array) -> Array:
    return jax.nn.softmax(log_gamma_sample(key, alpha), axis=-1)


def dirichlet_log_prob(
    value: Float[ArrayLike, "*batch n"], alpha: Float[ArrayLike, "*#batch n"]
) -> Float[Array, "*batch"]:
    r"""Paper, eq. 2: $\log \Gamma(A) + \sum_i [(\alpha_i - 1) \log x_i - \log \Gamma(\alpha_i)]$, a density of n - 1
    coordinates."""
    return _dirichlet_log_prob(*checked_arguments(None, value=value, alpha=alpha))


@jax.jit
def _dirichlet_log_prob(value: Array, alpha: Array) -> Array:
    return gammaln(alpha.sum(-1)) + (log_power(alpha - 1, value) - gammaln(alpha)).sum(-1)


def noise_tokens(
    key: PRNGKeyArray, tokens: Int[ArrayLike, "*batch"], num_categories: int, a: Shape, m: ArrayLike
) -> Float[Array, "*batch n"]:
    r"""Noisy one-hot vectors v = c y at signal-to-noise ratio m: the forward process (paper, eq. 9).

    $v_i \sim \mathrm{Gamma}(a_i)$ for all i, plus Gamma(N), N ~ Poisson(m), for the coordinate of the token. For
    a = 1 this takes one exponential E per coordinate; that of the token is $|\sqrt m + \sqrt E e^{i \theta}|^2$.

    Args:
        tokens: category of each position, 0 to num_categories - 1; inside jit any other value gives pure noise.
        num_categories: n >= 1.
        a: shape parameters, one for all or one for each category.
        m: $s \kappa / (1 - \kappa) \ge 0$, broadcast to the shape of tokens; its dtype is that of the draws. At inf,
            the token itself, its coordinate is inf.

    Draws are differentiable in a and m, as those of `transition_sample`.

    Raises:
        UsageError: a token out of range, n < 1, a <= 0 or of a wrong length, m < 0.
    """
    tokens = tokens if isinstance(tokens, Array) else np.asarray(tokens)
    if num_categories < 1:
        raise UsageError(f"num_categories is {num_categories}, expected at least 1")
    if not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise UsageError(f"tokens are {tokens.dtype}, expected integers")
    _check("token", tokens, lambda token: (token >= 0) & (token < num_categories), f"0 to {num_categories - 1}")
    if np.shape(a) not in ((), (1,), (num_categories,)):
        raise UsageError(f"a has shape {np.shape(a)}, expected a number or one for each of {num_categories} categories")
    route = route_of(a)
    dtype = jnp.result_type(float, m, *([a] if isinstance(a, Tracer) else []))
    _, (m,) = cast_arguments(tokens.shape, m=m, dtype=dtype)
    _, (shapes,) = cast_arguments((num_categories,), a=a, dtype=dtype)
    return _noise_tokens(key, tokens, num_categories, shapes, m, route=route)


@partial(jax.jit, static_argnames=("num_categories", "route"))
def _noise_tokens(
    key: PRNGKeyArray, tokens: Array, num_categories: int, shapes: Array, m: Array, *, route: str
) -> Array:
    m = jnp.broadcast_to(m, tokens.shape)
    noise_key, signal_key, count_key = jax.random.split(key, 3)
    is_token = tokens[..., None] == jnp.arange(num_categories)
    finite = m < jnp.inf
    safe = jnp.where(finite, m, 1.0)
    if route == "exponential":
        ones = jnp.ones((), m.dtype)
        others = exponential_sample(noise_key, is_token.shape, m.dtype)
        own = noncentral_gamma_sample(signal_key, ones, safe, ones, shape=m.shape, route=route)
        return jnp.where(is_token, jnp.where(finite, own, jnp.inf)[..., None], others)
    noise = gamma_sample(noise_key, scalar_or_broadcast(is_token.shape, shapes), shape=is_token.shape)
    signal = jax.lax.stop_gradient(gamma_sample(signal_key, poisson_sample(count_key, jax.lax.stop_gradient(safe))))
    ones, shape = jnp.ones_like(noise), jnp.broadcast_to(shapes, noise.shape)
    own = jax.lax.stop_gradient(noise) + signal[..., None]
    own = at_fixed_quantile(own, shape, jnp.broadcast_to(safe[..., None], noise.shape), ones)
    return jnp.where(is_token, jnp.where(finite[..., None], own, jnp.inf), noise)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class CIR:
    r"""The process $d\theta = b (a - \theta) dt + \sigma \sqrt{\theta}\, dW$ in general form (paper, section 2.2).

    It is $\theta = \frac{\sigma^2}{2b} Y$ with Y canonical of shape $2ab/\sigma^2$, run for elapsed time b t.

    A pytree of its parameters: it can be an argument of functions under `jit`, `vmap` and `grad`.

    Attributes:
        a: level that the process reverts to, a number or an array.
        b: speed.
        sigma: volatility; sigma^2 = 2b is the canonical form.

    Raises:
        UsageError: a parameter that is not above 0, where it is concrete.
    """

    a: Scalar = 1.0
    b: Scalar = 1.0
    sigma: Scalar = 2.0**0.5

    def __post_init__(self) -> None:
        for name in ("a", "b", "sigma"):
            _check(name, getattr(self, name), lambda value: (value > 0) & np.isfinite(value), "a number above 0")

    def tree_flatten(self) -> tuple[tuple[Scalar, Scalar, Scalar], None]:
        """The parameters as leaves of a pytree."""
        return (self.a, self.b, self.sigma), None

    @classmethod
    def tree_unflatten(cls, _: None, leaves: tuple[Any, Any, Any]) -> "CIR":
        """A process of any leaves: those of a gradient may be negative, and JAX puts placeholders in."""
        process = object.__new__(cls)
        for name, leaf in zip(("a", "b", "sigma"), leaves, strict=True):
            object.__setattr__(process, name, leaf)
        return process

    @property
    def shape(self) -> Scalar:
        r"""Shape $2ab/\sigma^2$ of the stationary Gamma distribution."""
        return 2 * self.a * self.b / self.sigma**2

    @property
    def scale(self) -> Scalar:
        r"""Scale $\sigma^2/(2b)$ of the stationary Gamma distribution."""
        return self.sigma**2 / (2 * self.b)

    @property
    def is_positive(self) -> Bool[ArrayLike, "..."]:
        """Whether paths stay above 0: Feller's condition 2ab >= sigma^2."""
        return self.shape >= 1

    def transition_sample(
        self, key: PRNGKeyArray, start: ArrayLike, time: ArrayLike, *, shape: tuple[int, ...] | None = None
    ) -> Float[Array, "..."]:
        """Exact draws after `time`, as by the function `transition_sample`."""
        return self.scale * transition_sample(key, self._canonical(start), self.shape, self._elapsed(time), shape=shape)

    def transition_log_prob(self, value: ArrayLike, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Log density after `time`."""
        value, start = self._canonical(value), self._canonical(start)
        return transition_log_prob(value, start, self.shape, self._elapsed(time)) - jnp.log(self.scale)

    def transition_cdf(self, value: ArrayLike, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Distribution function after `time`."""
        return transition_cdf(self._canonical(value), self._canonical(start), self.shape, self._elapsed(time))

    def transition_quantile(self, probability: ArrayLike, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Quantile after `time`."""
        return self.scale * transition_quantile(probability, self._canonical(start), self.shape, self._elapsed(time))

    def transition_mean(self, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Mean after `time` (paper, eq. 5)."""
        return self.scale * transition_mean(self._canonical(start), self.shape, self._elapsed(time))

    def transition_variance(self, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Variance after `time` (paper, eq. 6)."""
        return self.scale**2 * transition_variance(self._canonical(start), self.shape, self._elapsed(time))

    def laplace_transform(self, frequency: ArrayLike, start: ArrayLike, time: ArrayLike) -> Float[Array, "..."]:
        """Laplace transform after `time`."""
        frequency = self.scale * jnp.asarray(frequency)
        return laplace_transform(frequency, self._canonical(start), self.shape, self._elapsed(time))

    def stationary_sample(self, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """Draws from Gamma(2ab/sigma^2, rate 2b/sigma^2)."""
        return self.scale * stationary_sample(key, self.shape, shape=shape)

    def stationary_log_prob(self, value: ArrayLike) -> Float[Array, "..."]:
        """Log density of the stationary distribution."""
        return stationary_log_prob(self._canonical(value), self.shape) - jnp.log(self.scale)

    def _canonical(self, value: ArrayLike) -> Array:
        return jnp.asarray(value) / self.scale

    def _elapsed(self, time: ArrayLike) -> Array:
        return self.b * jnp.asarray(time)


def _noise(elapsed: Array) -> tuple[Array, Array]:
    """1 - kappa, replaced by 1 where it is 0, and a mask of where it is not 0."""
    noise = -jnp.expm1(-elapsed)
    moving = noise > 0
    return jnp.where(moving, -jnp.expm1(-jnp.where(moving, elapsed, 1.0)), 1.0), moving


def _coordinates(value: Array, start: Array, elapsed: Array, noise: Array) -> tuple[Array, Array, Array]:
    """V = c y, P = c kappa x and V - P; the last as c (y - x) + x for short times, where kappa x would be rounded."""
    kappa = jnp.exp(-elapsed)
    difference = jnp.where(elapsed < 0.7, (value - start) / noise + start, (value - kappa * start) / noise)
    return value / noise, start * kappa / noise, difference


def _valid(value: Array, start: Array, a: Array, elapsed: Array) -> Array:
    return ~jnp.isnan(value) & (start >= 0) & (a > 0) & (elapsed >= 0)


def route_of(a: Shape) -> str:
    """The method of `noncentral_gamma_sample` for this shape; a traced shape is decided for each element."""
    if isinstance(a, Tracer):
        return "mixed"
    concrete = np.asarray(a)
    if concrete.size == 0 or (concrete == 1).all():
        return "exponential"
    if (concrete == 0.5).all():
        return "square"
    if (concrete >= 1.5).all():
        return "above"
    return "normal" if (concrete >= 0.5).all() else "poisson" if (concrete < 0.5).all() else "mixed"


def checked_arguments(shape: tuple[int, ...] | None, **arguments: ArrayLike) -> list[Array]:
    """The arrays of `cast_arguments`, broadcast to their common shape."""
    shape, arrays = cast_arguments(shape, dtype=None, **arguments)
    return [jnp.broadcast_to(array, shape) for array in arrays]


def cast_arguments(
    shape: tuple[int, ...] | None, *, dtype: DTypeLike | None = None, **arguments: Shape
) -> tuple[tuple[int, ...], list[Any]]:
    """The common shape of the arguments, and the arguments in one dtype, validated where they are concrete.

    Numbers and lists stay on the host until a compiled function takes them: an operation of JAX costs some 50
    microseconds outside of one.
    """
    arrays = {name: value if isinstance(value, Array) else np.asarray(value) for name, value in arguments.items()}
    for name, value in arrays.items():
        if value.dtype in (jnp.float16, jnp.bfloat16):
            raise UsageError(f"{name} is {value.dtype}, expected float32 or float64; cast it first")
    for name in ("a", "alpha"):
        if name in arguments:
            _check(name, arrays[name], lambda value: (value > 0) & np.isfinite(value), "numbers above 0")
    for name in ("elapsed", "remaining", "m"):
        if name in arguments:
            _check(name, arrays[name], lambda value: value >= 0, "numbers of at least 0")
    for name in ("start", "end"):
        if name in arguments:
            _check(name, arrays[name], lambda value: (value >= 0) & np.isfinite(value), "finite numbers >= 0")
    # A number takes the precision of the arrays.
    typed = (value if type(value) in (int, float) else arrays[name] for name, value in arguments.items())
    dtype = jnp.result_type(float, *typed) if dtype is None else dtype
    try:
        common = np.broadcast_shapes(*(array.shape for array in arrays.values()), *([] if shape is None else [shape]))
        if shape is not None and common != shape:
            raise ValueError
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UsageError(f"shapes are {shapes}, expected ones that broadcast to {shape or 'one shape'}") from None
    return common, [array.astype(dtype) if array.dtype != dtype else array for array in arrays.values()]


def scalar_or_broadcast(shape: tuple[int, ...], value: Array) -> Array:
    """A scalar where there is one value for all, else the array broadcast: draws of one distribution cost less time
    and memory."""
    return value.reshape(()) if value.size == 1 else jnp.broadcast_to(value, shape)


def time_steps(grid: Float[ArrayLike, " times"]) -> Float[Array, " steps"]:
    """Differences of a grid of times.

    Raises:
        UsageError: a concrete grid that does not increase.
    """
    steps = jnp.diff(jnp.asarray(grid, float))
    _check("a step of the grid", steps, lambda step: step >= 0, "times in increasing order")
    return steps


def _check(name: str, value: ArrayLike, test: object, expected: str) -> None:
    if isinstance(value, Tracer) or not callable(test):
        return
    array = np.asarray(value)
    bad = ~np.asarray(test(array), bool)
    if bad.any():
        raise UsageError(f"{name} is {array[bad].reshape(-1)[0]}, expected {expected}")
