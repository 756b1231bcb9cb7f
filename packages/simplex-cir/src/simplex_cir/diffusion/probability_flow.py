r"""The probability-flow ODE (paper, eqs. 15 to 17), and likelihoods by integrating it.

In the coordinates v and $\lambda = \log m$ (see `diffusion.snr`), with all singular terms cancelled exactly,

$$\frac{dv_i}{d\lambda} = p(i|v)\, \tfrac{z_i}{2} R_{a_i-1}(z_i), \qquad
\frac{d \log v_i}{d\lambda} = p(i|v)\, \sqrt{m / v_i}\; R_{a_i-1}(z_i), \qquad z_i = 2 \sqrt{m v_i}.$$

There is no schedule, speed or mass, and $1/v$ does not occur alone, for any shape a. (The paper prints the log form
for a = 1; `paper_log_flow` is the general one.)
"""

from collections.abc import Callable
from typing import TypeVar

import diffrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_choice, check_positive

from simplex_cir.diffusion.posterior import Denoiser, Shape, most_probable, shape_array, shape_of, signal_drift
from simplex_cir.diffusion.snr import Scalar, check_levels, scale_from_snr
from simplex_cir.special.bessel import log_0f1_slope

Vectors = Float[Array, "*batch n"]
# State of an ODE solver: vectors, or vectors and an integral.
State = TypeVar("State", Array, tuple[Array, Array])
METHODS = ("euler", "heun", "rk4", "adaptive")


def velocity(denoiser: Denoiser, v: Vectors, log_snr: Scalar, a: Shape | None = None) -> Vectors:
    """dv / d log m = p (z / 2) R (paper, eqs. 15 and 16 in the coordinates v and log m)."""
    a = shape_of(denoiser, a)
    snr = jnp.exp(jnp.asarray(log_snr, v.dtype))
    return jnp.exp(denoiser(v, snr)) * signal_drift(v, snr, a)


def log_velocity(denoiser: Denoiser, log_v: Vectors, log_snr: Scalar, a: Shape | None = None) -> Vectors:
    r"""d log v / d log m = p sqrt(m / v) R, computed as $p\, m\, \partial_q \log {}_0F_1(; a; q)$ at $q = m v$.

    Finite as v -> 0, where it tends to p m / a.
    """
    a = shape_of(denoiser, a)
    snr = jnp.exp(jnp.asarray(log_snr, log_v.dtype))
    shape = shape_array(a, log_v)
    gain = log_0f1_slope(shape, jnp.exp(jnp.log(snr) + log_v))
    return jnp.exp(denoiser(jnp.exp(log_v), snr)) * snr * gain


def paper_log_flow(probabilities: Vectors, y: Vectors, snr: Scalar, a: Shape = 1.0, mass: Scalar = 1.0) -> Vectors:
    r"""$\frac{1}{b} \frac{d \log y_i}{dt} = c - 1 - p(i|y)\, c \sqrt{s \kappa / y_i}\, R$, the paper's coordinates.

    Paper, eq. 17 with the term (a - 1) / y that is missing in print.
    """
    c = scale_from_snr(snr, mass)
    shape = shape_array(a, y)
    return c - 1 - probabilities * snr * c * log_0f1_slope(shape, snr * c * y)


def probability_flow(
    denoiser: Denoiser,
    v: Vectors,
    snrs: Float[ArrayLike, " levels"],
    a: Shape | None = None,
    *,
    method: str = "heun",
    log_domain: bool = True,
    tolerance: float = 1e-5,
) -> tuple[Int[Array, "*batch"], Vectors]:
    """Integrate the ODE (paper, eqs. 15 and 16) from snrs[0] to snrs[-1], towards tokens or towards noise.

    Args:
        denoiser: log probabilities of the tokens, for the score.
        v: noisy vectors at snrs[0].
        snrs: monotone; one step between neighbours, of which "adaptive" uses the ends only.
        a: stationary shapes; by default those of the denoiser.
        method: Euler, Heun (second order), classical Runge-Kutta, or diffrax's adaptive Tsitouras 5(4).
        log_domain: integrate log v, which cannot become negative, instead of v.
        tolerance: relative and absolute, of "adaptive".

    Returns:
        The most probable tokens at the end, `diffusion.posterior.INVALID_TOKEN` where probabilities are NaN,
        and the vectors there.

    Raises:
        UsageError: no such method, or levels that are not monotone.
    """
    a = shape_of(denoiser, a)
    check_choice("method", method, METHODS)
    check_levels(snrs, either_way=True)
    log_snrs = jnp.log(jnp.asarray(snrs, v.dtype))

    def field(log_snr: Scalar, x: Array) -> Array:
        return (log_velocity if log_domain else velocity)(denoiser, x, log_snr, a)

    x = jnp.log(v) if log_domain else v
    if method == "adaptive":
        x = _adaptive(field, x, log_snrs, tolerance)
    else:
        advance = _STEPS[method]

        def step(x: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
            return advance(field, x, pair[0], pair[1] - pair[0]), None

        x, _ = jax.lax.scan(step, x, (log_snrs[:-1], log_snrs[1:]))
    v = jnp.exp(x) if log_domain else x
    return most_probable(denoiser(v, jnp.exp(log_snrs[-1]))), v


def log_density(
    denoiser: Denoiser,
    v: Float[Array, "*batch positions n"],
    snr: float,
    a: Shape | None = None,
    *,
    lowest_snr: float = 1e-3,
    tolerance: float = 1e-5,
    key: PRNGKeyArray | None = None,
    probes: int = 1,
) -> Float[Array, " *batch"]:
    r"""Log density of noisy sequences at an SNR, by integrating the flow to noise.

    With $u = \log v$: $\log p_m(v) = \sum \log \mathrm{Gamma}(v^\downarrow; a, 1)\, v^\downarrow
    - \int \mathrm{div}_u\, \frac{du}{d\lambda}\, d\lambda - \sum \log v$, with $v^\downarrow$ the end of the flow.

    Args:
        denoiser: log probabilities of the tokens.
        v: noisy vectors, the last two axes one event.
        snr: m of v.
        a: stationary shapes; by default those of the denoiser.
        lowest_snr: m at which the distribution is taken to be pure noise.
        tolerance: of the adaptive solver.
        key: for Hutchinson's estimate of the divergence; None computes it exactly, one pass for each coordinate.
        probes: number of random directions of that estimate.

    Raises:
        UsageError: an SNR or a number of probes that is not above 0.
    """
    a = shape_of(denoiser, a)
    for name, value in (("snr", snr), ("lowest_snr", lowest_snr), ("probes", probes)):
        check_positive(name, value)
    event = v.shape[-2:]
    flat = jnp.log(v).reshape(-1, event[0] * event[1])

    def one(log_v: Array, key: PRNGKeyArray | None) -> Array:
        def field(log_snr: Scalar, x: Array) -> Array:
            return log_velocity(denoiser, x.reshape(event), log_snr, a).reshape(-1)

        if key is None:
            directions = jnp.eye(log_v.size, dtype=log_v.dtype)
        else:
            directions = jax.random.rademacher(key, (probes, log_v.size), log_v.dtype)

        def both(log_snr: Scalar, state: tuple[Array, Array]) -> tuple[Array, Array]:
            x, _ = state
            slope, jvp = jax.linearize(lambda x: field(log_snr, x), x)
            traces = jax.vmap(lambda direction: direction @ jvp(direction))(directions)
            return slope, traces.sum() if key is None else traces.mean()

        ends = jnp.log(jnp.asarray([snr, lowest_snr], log_v.dtype))
        last, divergence = _adaptive(both, (log_v, jnp.zeros((), log_v.dtype)), ends, tolerance)
        shape = jnp.broadcast_to(jnp.asarray(a, log_v.dtype), event).reshape(-1)
        stationary = shape * last - jnp.exp(last) - jax.scipy.special.gammaln(shape)
        return stationary.sum() + divergence - log_v.sum()

    keys = None if key is None else jax.random.split(key, len(flat))
    values = jax.vmap(one)(flat, keys) if keys is not None else jax.vmap(lambda x: one(x, None))(flat)
    return values.reshape(v.shape[:-2])


def _euler(field: Callable[..., Array], x: Array, log_snr: Array, h: Array) -> Array:
    return x + h * field(log_snr, x)


def _heun(field: Callable[..., Array], x: Array, log_snr: Array, h: Array) -> Array:
    first = field(log_snr, x)
    return x + h / 2 * (first + field(log_snr + h, x + h * first))


def _rk4(field: Callable[..., Array], x: Array, log_snr: Array, h: Array) -> Array:
    first = field(log_snr, x)
    second = field(log_snr + h / 2, x + h / 2 * first)
    third = field(log_snr + h / 2, x + h / 2 * second)
    fourth = field(log_snr + h, x + h * third)
    return x + h / 6 * (first + 2 * second + 2 * third + fourth)


_STEPS = {"euler": _euler, "heun": _heun, "rk4": _rk4}


def _adaptive(field: Callable[..., State], x: State, log_snrs: Array, tolerance: float) -> State:
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda log_snr, x, _: field(log_snr, x)),
        diffrax.Tsit5(),
        log_snrs[0],
        log_snrs[-1],
        None,
        x,
        saveat=diffrax.SaveAt(t1=True),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=16**4,
    )
    return jax.tree.map(lambda values: values[0], solution.ys)
