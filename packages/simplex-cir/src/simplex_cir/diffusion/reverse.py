r"""From noise to tokens: the exact ancestral sampler, and discretisations of the reverse SDE (paper, eqs. 11 to 13).

In the coordinates v and $\lambda = \log m$ (see `diffusion.snr`) schedule, speed and mass drop out of the reverse SDE:

$$dv_i = \big[a_i - v_i + p(i|v)\, z_i R_{a_i-1}(z_i)\big]\, d\lambda + \sqrt{2 v_i}\, dW_i, \qquad
z_i = 2\sqrt{m v_i}.$$

It is the forward process with an added drift in the coordinate of the token. (By Ito's formula for $v = c y$ with
$d\lambda = -c\, b\, dt$; the paper's drift $b(2 - \alpha + Z + 2 g)$ is `paper_drift`.)

A step is a function (key, v, added_drift, a, h) with added_drift = p z R and h the step in log m; the schemes have the
names of `process.schemes`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_choice

from simplex_cir.config import check_root_shape
from simplex_cir.diffusion.posterior import Denoiser, Shape, most_probable, shape_of, signal_drift
from simplex_cir.diffusion.snr import Scalar, check_levels, elapsed_from_snr, scale_from_snr
from simplex_cir.process import schemes
from simplex_cir.process.bridge import bridge_from_zero_sample, bridge_sample
from simplex_cir.process.cir import stationary_sample
from simplex_cir.process.schemes import Scheme

Step = Callable[[PRNGKeyArray, Array, Array, Shape, Array], Array]
Vectors = Float[Array, "*batch n"]


def noise(key: PRNGKeyArray, shape: tuple[int, ...], a: Shape = 1.0, dtype: jnp.dtype = jnp.float32) -> Vectors:
    """Pure noise, from which every sampler starts: independent Gamma(a_i, 1) entries.

    For shapes near 0 many entries underflow to 0.
    """
    return stationary_sample(
        key, np.asarray(a, dtype) if isinstance(a, (float, tuple)) else jnp.asarray(a, dtype), shape=shape
    )


def paper_drift(y: Vectors, scaled: Vectors, a: Shape = 1.0, b: float = 1.0) -> Vectors:
    """Drift of the reverse SDE in the paper's coordinates, b (2 - a + y + 2 g) with the scaled score g (paper, eq.
    13)."""
    return b * (2 - jnp.asarray(a, y.dtype) + y + 2 * scaled)


def reverse_drift(probabilities: Vectors, v: Vectors, snr: Scalar, a: Shape = 1.0) -> Vectors:
    """Drift of v per unit of log m: a - v + p z R."""
    return jnp.asarray(a, v.dtype) - v + 2 * probabilities * signal_drift(v, snr, a)


def ancestral_step(
    key: PRNGKeyArray, tokens: Int[Array, "*batch"], v: Vectors, snr: Scalar, next_snr: Scalar, a: Shape = 1.0
) -> Vectors:
    """An exact draw at the higher SNR given the noisy vectors at the lower one and the tokens.

    All coordinates but that of the token are bridges from 0; that of the token starts from the mass. It follows from
    the transition density (paper, eq. 8) by Bayes' rule, see `process.bridge`.

    Args:
        tokens: the clean token of every vector.
        v: noisy vectors at `snr`.
        snr: m of v.
        next_snr: m of the result, higher.

    Raises:
        UsageError: an infinite SNR, where it is concrete; there the vector is the token.
    """
    check_levels(jnp.stack([jnp.min(jnp.asarray(snr)), jnp.max(jnp.asarray(next_snr))]))
    late, early = elapsed_from_snr(snr), elapsed_from_snr(next_snr)
    end = v / scale_from_snr(snr)
    own_end = jnp.take_along_axis(end, tokens[..., None], axis=-1)[..., 0]
    own_shape = jnp.broadcast_to(jnp.asarray(a, v.dtype), v.shape[-1:])[tokens]
    others_key, own_key = jax.random.split(key)
    others = bridge_from_zero_sample(others_key, end, np.asarray(a) if isinstance(a, tuple) else a, early, late - early)
    own = bridge_sample(own_key, jnp.ones_like(own_end), own_end, own_shape, early, late - early)
    is_token = jnp.arange(v.shape[-1]) == tokens[..., None]
    return scale_from_snr(next_snr) * jnp.where(is_token, own[..., None], others)


def ancestral(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Vectors,
    snrs: Float[ArrayLike, " levels"],
    a: Shape | None = None,
    *,
    temperature: Scalar = 1.0,
) -> tuple[Int[Array, "*batch"], Vectors]:
    """Ancestral sampling: alternately draw tokens given vectors, and the vectors at the next SNR given tokens.

    With the exact posterior of a single token it is exact for any number of steps, one included. For sequences the
    only error is that the positions' tokens are drawn independently at each step.

    Args:
        denoiser: log probabilities of the tokens.
        v: noisy vectors at snrs[0], e.g. `noise`.
        snrs: increasing, see `diffusion.snr.snr_grid`.
        a: stationary shapes; by default those of the denoiser.
        temperature: probabilities are raised to its inverse; 1 leaves them.

    Returns:
        The most probable tokens at the last SNR, `diffusion.posterior.INVALID_TOKEN` where probabilities are
        NaN, and the vectors there.

    Raises:
        UsageError: levels that do not increase, or shapes that are not those of the denoiser.
    """
    a = shape_of(denoiser, a)
    check_levels(snrs)
    snrs = jnp.asarray(snrs, v.dtype)

    def step(carry: tuple[Array, Array], pair: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        key, v = carry
        snr, next_snr = pair
        key, token_key, bridge_key = jax.random.split(key, 3)
        tokens = jax.random.categorical(token_key, denoiser(v, snr) / temperature, axis=-1)
        return (key, ancestral_step(bridge_key, tokens, v, snr, next_snr, a)), None

    (_, v), _ = jax.lax.scan(step, (key, v), (snrs[:-1], snrs[1:]))
    return most_probable(denoiser(v, snrs[-1])), v


def with_added_drift(scheme: Scheme) -> Step:
    """A scheme of the process as a scheme of the reverse SDE: within a step the added drift stays as at its start, so
    the level of the process is a + added_drift. Negative values are set to 0."""

    def step(key: PRNGKeyArray, v: Vectors, added_drift: Vectors, a: Shape, h: Array) -> Vectors:
        return jnp.maximum(scheme(key, v, jnp.asarray(a, v.dtype) + added_drift, h), 0)

    return step


def implicit_root(key: PRNGKeyArray, v: Vectors, added_drift: Vectors, a: Shape, h: Array) -> Vectors:
    """`process.schemes.implicit_root`, which evaluates the level at the end of a step, and the added drift at its
    start, where it is known."""
    return schemes.implicit_root(key, v, jnp.asarray(a, v.dtype), h, added_drift=added_drift)


# Log-Euler is stiff where v is below h: it is accurate for a of 2 or more only, where paths stay away from 0.
SCHEMES: dict[str, Step] = {
    "euler-reflected": with_added_drift(schemes.euler_reflected),
    "euler-truncated": with_added_drift(schemes.euler_truncated),
    "euler-floored": with_added_drift(schemes.euler_floored),
    "milstein": with_added_drift(schemes.milstein),
    "implicit-root": implicit_root,
    "log-euler": with_added_drift(schemes.log_euler),
    "quadratic-exponential": with_added_drift(schemes.quadratic_exponential),
}


def reverse_sde(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Vectors,
    snrs: Float[ArrayLike, " levels"],
    a: Shape | None = None,
    *,
    scheme: str = "euler-reflected",
) -> tuple[Int[Array, "*batch"], Vectors]:
    """Integrate the reverse SDE (paper, eqs. 11 to 13) from snrs[0] to snrs[-1].

    Returns the most probable tokens at the end, and the vectors there.

    Args:
        denoiser: log probabilities of the tokens, for the score.
        v: noisy vectors at snrs[0].
        snrs: increasing; one step between neighbours.
        a: stationary shapes; by default those of the denoiser.
        scheme: one of `SCHEMES`.

    Raises:
        UsageError: no such scheme, implicit-root with a shape below 1/2, levels that do not increase, or shapes that
            are not those of the denoiser.
    """
    a = shape_of(denoiser, a)
    check_choice("scheme", scheme, tuple(SCHEMES))
    if scheme == "implicit-root" and not isinstance(a, Tracer):
        check_root_shape(float(np.min(a)))
    check_levels(snrs)
    advance = SCHEMES[scheme]
    snrs = jnp.asarray(snrs, v.dtype)

    def step(carry: tuple[Array, Array], pair: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        key, v = carry
        snr, next_snr = pair
        key, noise_key = jax.random.split(key)
        added_drift = 2 * jnp.exp(denoiser(v, snr)) * signal_drift(v, snr, a)
        return (key, advance(noise_key, v, added_drift, a, jnp.log(next_snr / snr))), None

    (_, v), _ = jax.lax.scan(step, (key, v), (snrs[:-1], snrs[1:]))
    return most_probable(denoiser(v, snrs[-1])), v
