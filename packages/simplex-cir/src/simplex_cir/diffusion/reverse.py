r"""From noise to tokens: the exact ancestral sampler, and the reverse SDE (eqs. 11 to 13) in several discretisations.

In the coordinates v and $\lambda = \log m$ (see `snr`) the paper's reverse SDE loses schedule, speed and mass:

$$dv_i = \big[a_i - v_i + p(i|v)\, z_i R_{a_i-1}(z_i)\big]\, d\lambda + \sqrt{2 v_i}\, dW_i, \qquad
z_i = 2\sqrt{m v_i}.$$

It is the forward process itself plus a drive along the token's own coordinate. (Ito's formula for $v = c y$ with
$d\lambda = -c\, b\, dt$; the paper's drift $b(2 - \alpha + Z + 2 g)$ is `paper_drift`.)

A step is a function (key, v, drive, a, h) with drive = p z R and h the step in log m; the schemes are those of
`schemes`, by their names.
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
from simplex_cir.diffusion.posterior import Denoiser, Shape, half_drive, most_probable
from simplex_cir.diffusion.snr import Scalar, check_levels, elapsed_from_snr, scale_from_snr
from simplex_cir.process import schemes
from simplex_cir.process.bridge import bridge_from_zero_sample, bridge_sample
from simplex_cir.process.cir import stationary_sample
from simplex_cir.process.schemes import Scheme

Step = Callable[[PRNGKeyArray, Array, Array, Shape, Array], Array]
Vectors = Float[Array, "*batch n"]


def noise(key: PRNGKeyArray, shape: tuple[int, ...], a: Shape = 1.0, dtype: jnp.dtype = jnp.float32) -> Vectors:
    """Vectors that know nothing of a token: independent Gamma(a_i, 1) entries, where every sampler starts.

    Of shapes near 0 many entries are below the smallest number and come out as 0.
    """
    return stationary_sample(key, np.asarray(a, dtype) if isinstance(a, float) else jnp.asarray(a, dtype), shape=shape)


def paper_drift(y: Vectors, scaled: Vectors, a: Shape = 1.0, b: float = 1.0) -> Vectors:
    """Drift of the reverse SDE in the paper's own coordinates: b (2 - a + y + 2 g), g the scaled score (eq. 13)."""
    return b * (2 - jnp.asarray(a, y.dtype) + y + 2 * scaled)


def reverse_drift(probabilities: Vectors, v: Vectors, snr: Scalar, a: Shape = 1.0) -> Vectors:
    """Drift of v per unit of log m: a - v + p z R."""
    return jnp.asarray(a, v.dtype) - v + 2 * probabilities * half_drive(v, snr, a)


def ancestral_step(
    key: PRNGKeyArray, tokens: Int[Array, "*batch"], v: Vectors, snr: Scalar, next_snr: Scalar, a: Shape = 1.0
) -> Vectors:
    """An exact draw at the higher SNR given the noisy vectors at the lower one and the tokens.

    All coordinates but the token's are bridges from 0; that of the token starts from the mass. Sources: reversal of
    the transition density, eq. 8 (see `bridge`).

    Args:
        tokens: the clean token of every vector.
        v: noisy vectors at `snr`.
        snr: where v is.
        next_snr: where to go, higher.
    """
    late, early = elapsed_from_snr(snr), elapsed_from_snr(next_snr)
    end = v / scale_from_snr(snr)
    own_end = jnp.take_along_axis(end, tokens[..., None], axis=-1)[..., 0]
    own_shape = jnp.broadcast_to(jnp.asarray(a, v.dtype), v.shape[-1:])[tokens]
    others_key, own_key = jax.random.split(key)
    others = bridge_from_zero_sample(others_key, end, a, early, late - early)
    own = bridge_sample(own_key, jnp.ones_like(own_end), own_end, own_shape, early, late - early)
    is_token = jnp.arange(v.shape[-1]) == tokens[..., None]
    return scale_from_snr(next_snr) * jnp.where(is_token, own[..., None], others)


def ancestral(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Vectors,
    snrs: Float[ArrayLike, " levels"],
    a: Shape = 1.0,
    *,
    temperature: Scalar = 1.0,
) -> tuple[Int[Array, "*batch"], Vectors]:
    """Alternate: draw tokens given the noisy vectors, draw the vectors at the next SNR given tokens.

    With the exact posterior of a single token it is exact for any number of steps, one included. For sequences the
    only error is that the positions' tokens are drawn independently at each step.

    Args:
        denoiser: log probabilities of the tokens.
        v: noisy vectors at snrs[0], e.g. `noise`.
        snrs: increasing, see `snr.snr_grid`.
        a: stationary shapes.
        temperature: probabilities are raised to its inverse; 1 leaves them.

    Returns:
        The most probable tokens at the last SNR, `posterior.LOST` where they are not known, and the vectors there.

    Raises:
        UsageError: levels that do not increase.
    """
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


def with_drive(scheme: Scheme) -> Step:
    """A scheme of the process for the reverse SDE: over a step, with its drive as at the start, that is the process of
    level a + drive. What a scheme makes negative is taken as 0."""

    def step(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Array) -> Vectors:
        return jnp.maximum(scheme(key, v, jnp.asarray(a, v.dtype) + drive, h), 0)

    return step


def implicit_root(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Array) -> Vectors:
    """`schemes.implicit_root`, which takes the level at the end of a step: the drive stays at its start, where it is
    known."""
    return schemes.implicit_root(key, v, jnp.asarray(a, v.dtype), h, drive=drive)


# Log-Euler is stiff where v is below h, and serves at a of 2 or more only, where paths keep away from 0.
SCHEMES: dict[str, Step] = {
    "euler-reflected": with_drive(schemes.euler_reflected),
    "euler-truncated": with_drive(schemes.euler_truncated),
    "euler-floored": with_drive(schemes.euler_floored),
    "milstein": with_drive(schemes.milstein),
    "implicit-root": implicit_root,
    "log-euler": with_drive(schemes.log_euler),
    "quadratic-exponential": with_drive(schemes.quadratic_exponential),
}


def reverse_sde(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    v: Vectors,
    snrs: Float[ArrayLike, " levels"],
    a: Shape = 1.0,
    *,
    scheme: str = "euler-reflected",
) -> tuple[Int[Array, "*batch"], Vectors]:
    """Integrate the reverse SDE (eqs. 11 to 13) from snrs[0] to snrs[-1]; tokens are the most probable ones at the end.

    Args:
        denoiser: log probabilities of the tokens, for the score.
        v: noisy vectors at snrs[0].
        snrs: increasing; one step between neighbours.
        a: stationary shapes.
        scheme: one of `SCHEMES`.

    Raises:
        UsageError: no such scheme, implicit-root with a shape below 1/2, or levels that do not increase.
    """
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
        drive = 2 * jnp.exp(denoiser(v, snr)) * half_drive(v, snr, a)
        return (key, advance(noise_key, v, drive, a, jnp.log(next_snr / snr))), None

    (_, v), _ = jax.lax.scan(step, (key, v), (snrs[:-1], snrs[1:]))
    return most_probable(denoiser(v, snrs[-1])), v
