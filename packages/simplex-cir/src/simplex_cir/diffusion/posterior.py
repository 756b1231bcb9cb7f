r"""The token given its noisy vector: exact evidence, posterior, and the score that follows from them.

With prior $\pi$ over the n categories and noisy vector v at SNR m (see `diffusion.snr`), Bayes' rule with the
transition density (paper, eq. 8) gives, with the regular hypergeometric limit function ${}_0F_1$,

$$p(k \mid v) \propto \pi_k \, {}_0F_1(; a_k; m v_k)$$

(paper, eq. 18). The score of the marginal is the same expression weighted by the posterior, so any model of
token probabilities, a table or a network, gives a score (score interpolation, Dieleman et al. 2022).

Axes: `n` categories; any leading axes, positions of a sequence among them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int
from onepaper.errors import UsageError

from simplex_cir.diffusion.snr import Scalar, scale_from_snr
from simplex_cir.special.bessel import log_0f1, log_0f1_slope

# log probabilities [..., n] of the clean tokens given the noisy vectors v [..., n] at SNR m: one number for all, one
# for each sequence, or one for each position.
Denoiser = Callable[[Float[Array, "..."], Scalar], Float[Array, "..."]]
# Stationary shapes of the process: one for all categories, or one for each.
Shape = float | tuple[float, ...] | Float[np.ndarray, " n"] | Float[Array, "..."]
# In place of a token that is to be filled in.
UNKNOWN = -1
# In place of a token whose probabilities are NaN: a discretisation has diverged on this path.
INVALID_TOKEN = -1
# SNR that a known token is given: its evidence exceeds this many nats, and exp(-100) is negligible.
KNOWN_SNR = 100.0


@dataclass(frozen=True, eq=False)
class ShapedDenoiser:
    """A function with the shapes of the process whose vectors it reads, which oracle models and networks have too."""

    function: Denoiser
    a: Shape

    def __call__(self, v: Float[Array, "*batch n"], snr: Scalar) -> Float[Array, "*batch n"]:
        """Log probabilities."""
        return self.function(v, snr)


def shape_of(denoiser: Denoiser, a: Shape | None) -> Shape:
    """The shapes of the process: `a`, or where it is None those of the denoiser, or 1 where it is a plain function.

    Raises:
        UsageError: shapes that differ from the denoiser's.
    """
    own = getattr(denoiser, "a", None)
    if a is None:
        return 1.0 if own is None else own
    if own is not None and not isinstance(a, Tracer) and not isinstance(own, Tracer):
        given, expected = np.asarray(a, np.float64), np.asarray(own, np.float64)
        if (given.ndim and expected.ndim and given.shape != expected.shape) or not np.allclose(given, expected):
            raise UsageError(
                f"a is {given.tolist()}, but the denoiser is for a process of shape {expected.tolist()}; leave a out, "
                "or give both the same"
            )
    return a


def shape_array(a: Shape, like: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
    """The shapes in the form and dtype of vectors.

    Raises:
        UsageError: shapes that are not finite numbers above 0, or not one for each category.
    """
    if not isinstance(a, Tracer):
        concrete = np.asarray(a)
        bad = ~((concrete > 0) & np.isfinite(concrete))
        if bad.any():
            raise UsageError(f"a is {concrete[bad].reshape(-1)[0]}, expected numbers above 0")
        if concrete.ndim and concrete.shape[-1] not in (1, like.shape[-1]):
            raise UsageError(
                f"a has {concrete.shape[-1]} entries, expected one for each of {like.shape[-1]} categories"
            )
    return jnp.broadcast_to(jnp.asarray(a, like.dtype), like.shape)


def per_coordinate(snr: Scalar, v: Float[Array, "*batch n"]) -> Float[Array, "..."]:
    """The SNR as an array that broadcasts against v: one for all, or one for each leading index."""
    values = jnp.asarray(snr, v.dtype)
    return (
        values
        if values.ndim == 0 or values.ndim == v.ndim
        else values.reshape(*values.shape, *[1] * (v.ndim - values.ndim))
    )


def log_evidence(v: Float[Array, "*batch n"], snr: Scalar, a: Shape = 1.0) -> Float[Array, "*batch n"]:
    r"""$\log {}_0F_1(; a_k; m v_k) - m$, the log likelihood ratio of "the token is k" against "no token".

    Source: paper, eq. 18 with the transition density, eq. 8. At SNR infinity, where the token is known, it is given up
    to the infinite constant: 0 for the largest entry of v, -inf for the others.

    Args:
        v: noisy vectors, entries >= 0; inf for the token at SNR infinity.
        snr: m, broadcast against v.
        a: stationary shapes, one or [n].

    Raises:
        UsageError: shapes that are not above 0, or a negative SNR, where they are concrete.
    """
    if not isinstance(snr, Tracer) and not (np.asarray(snr) >= 0).all():
        raise UsageError(f"snr is {np.min(snr)}, expected numbers of at least 0")
    snr = per_coordinate(snr, v)
    known = snr == jnp.inf
    finite_snr, finite_v = jnp.where(known, 0.0, snr), jnp.where(known, 0.0, v)
    evidence = log_0f1(shape_array(a, v), finite_snr * finite_v) - finite_snr
    return jnp.where(known, jnp.where(v == v.max(axis=-1, keepdims=True), 0.0, -jnp.inf), evidence)


def log_posterior(
    log_prior: Float[Array, "*#batch n"], v: Float[Array, "*batch n"], snr: Scalar, a: Shape = 1.0
) -> Float[Array, "*batch n"]:
    """Log probability of each token given its noisy vector (paper, eq. 18), normalised.

    Args:
        log_prior: up to a constant, one for all positions or one for each.
        v: noisy vectors.
        snr: m.
        a: stationary shapes.
    """
    return jax.nn.log_softmax(log_prior + log_evidence(v, snr, a), axis=-1)


def most_probable(log_probabilities: Float[Array, "*batch n"]) -> Int[Array, "*batch"]:
    """The token of largest probability; `INVALID_TOKEN` where one is not a number."""
    lost = jnp.isnan(log_probabilities).any(axis=-1)
    return jnp.where(lost, INVALID_TOKEN, log_probabilities.argmax(axis=-1))


def signal_drift(v: Float[Array, "*batch n"], snr: Scalar, a: Shape = 1.0) -> Float[Array, "*batch n"]:
    r"""$\tfrac{z}{2} R_{a-1}(z)$ with $z = 2\sqrt{m v}$: the drift of v by the signal if the token is i.

    It is the probability flow of coordinate i per unit of log m, given that the token is i. R is the ratio
    $I_a / I_{a-1}$ of modified Bessel functions (paper, from the derivative of eq. 8). It is computed as
    $q\, \partial_q \log {}_0F_1(; a; q)$ at $q = m v$, which has no square root to differentiate at 0.
    """
    q = per_coordinate(snr, v) * v
    safe = jnp.where(q == jnp.inf, 1.0, q)
    return jnp.where(q == jnp.inf, jnp.inf, safe * log_0f1_slope(shape_array(a, v), safe))


def scaled_score(
    probabilities: Float[Array, "*batch n"], v: Float[Array, "*batch n"], snr: Scalar, a: Shape = 1.0
) -> Float[Array, "*batch n"]:
    r"""$y_i\, \partial_i \log p_t(y) = (a_i - 1) - v_i + p(i|v)\, \tfrac{z_i}{2} R_{a_i-1}(z_i)$.

    The coordinate times the score: finite where the score itself diverges as y -> 0. It is the same number in the
    coordinates y and v. With one-hot `probabilities` it is the conditional scaled score (paper, from eq. 8); with the
    exact posterior, that of the marginal.

    Args:
        probabilities: of the clean tokens, summing to 1.
        v: noisy vectors.
        snr: m.
        a: stationary shapes.
    """
    return jnp.asarray(a, v.dtype) - 1 - v + probabilities * signal_drift(v, snr, a)


def score(
    probabilities: Float[Array, "*batch n"],
    y: Float[Array, "*batch n"],
    snr: Scalar,
    a: Shape = 1.0,
    mass: Scalar = 1.0,
) -> Float[Array, "*batch n"]:
    r"""$\partial_i \log p_t(y)$ in the paper's coordinates; diverges at y = 0 unless a = 1.

    Args:
        probabilities: of the clean tokens.
        y: the noisy vector before scaling, y = v / c.
        snr: m.
        a: stationary shapes.
        mass: s, where a token's coordinate starts.
    """
    v = per_coordinate(scale_from_snr(snr, mass), y) * y
    return scaled_score(probabilities, v, snr, a) / y


def condition_on_known(
    tokens: Int[Array, "*#batch positions"],
    known: Bool[Array, "*#batch positions"],
    v: Float[Array, "*batch positions n"],
    snr: Scalar,
    a: Shape = 1.0,
) -> tuple[Float[Array, "*batch positions n"], Float[Array, "*batch positions"]]:
    r"""Vectors and SNRs, one for each position, in which the known tokens are certain and the others as before.

    A known position gets the vector $(a + m)\, e_k$ at an SNR m of `KNOWN_SNR`: its evidence $\log {}_0F_1(; a; m v_k)$
    exceeds m, and that of every other token is 0, so any denoiser that follows Bayes' rule is certain of it at any SNR
    of the other positions.

    Args:
        tokens: of all positions; values at unknown positions do not matter.
        known: which positions are known.
        v: noisy vectors.
        snr: m of v.
        a: stationary shapes.
    """
    vectors = (jnp.asarray(a, v.dtype) + KNOWN_SNR) * jax.nn.one_hot(tokens, v.shape[-1], dtype=v.dtype)
    snrs = jnp.broadcast_to(per_coordinate(snr, v), (*v.shape[:-1], 1))[..., 0]
    return jnp.where(known[..., None], vectors, v), jnp.where(known, KNOWN_SNR, snrs)
