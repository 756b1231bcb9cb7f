r"""From noise to tokens: the exact ancestral sampler, and the reverse SDE (eqs. 11 to 13) in several discretisations.

In the coordinates v and $\lambda = \log m$ (see `snr`) the paper's reverse SDE loses schedule, speed and mass:

$$dv_i = \big[a_i - v_i + p(i|v)\, z_i R_{a_i-1}(z_i)\big]\, d\lambda + \sqrt{2 v_i}\, dW_i, \qquad
z_i = 2\sqrt{m v_i}.$$

It is the forward process itself plus a drive along the token's own coordinate. (Ito's formula for $v = c y$ with
$d\lambda = -c\, b\, dt$; the paper's drift $b(2 - \alpha + Z + 2 g)$ is `paper_drift`.)

Every scheme is one function step(key, v, drive, a, h) with drive = p z R and h the step in log m.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_choice

from simplex_cir.bridge import bridge_from_zero_sample, bridge_sample
from simplex_cir.config import check_root_shape
from simplex_cir.posterior import Denoiser, Scalar, Shape, half_drive, most_probable
from simplex_cir.process import stationary_sample
from simplex_cir.snr import check_levels, elapsed_from_snr, scale_from_snr

Step = Callable[[PRNGKeyArray, Array, Array, Shape, Scalar], Array]
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


def euler_reflected(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    """Euler-Maruyama; negative results are reflected at 0."""
    return jnp.abs(_euler(key, v, v, drive, a, h))


def euler_truncated(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    """Euler-Maruyama with everything negative taken as 0."""
    return jnp.maximum(_euler(key, v, v, drive, a, h), 0)


def euler_floored(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar, floor: float = 1e-3) -> Vectors:
    r"""Euler-Maruyama with $\sqrt{2 (v + \epsilon)}$ in the noise (remarks on simulation, section 2.3)."""
    return jnp.maximum(_euler(key, v, v + floor, drive, a, h), 0)


def milstein(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    r"""Euler-Maruyama plus $\tfrac12 g g' (\xi^2 - 1) h$ with $g = \sqrt{2v}$, hence $g g' = 1$; truncated at 0."""
    normal = jax.random.normal(key, v.shape, v.dtype)
    mean = v + (a - v + drive) * h
    return jnp.maximum(mean + jnp.sqrt(2 * v * h) * normal + 0.5 * h * (normal**2 - 1), 0)


def implicit_root(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    r"""Drift-implicit in $u = \sqrt v$, which stays positive; needs a >= 1/2.

    $du = \big[\tfrac{a - 1/2}{2u} - \tfrac u2 + \tfrac{p z R}{2u}\big] d\lambda + \tfrac{1}{\sqrt 2} dW$: the first two
    terms are taken at the end of the step, the drive at its start. u' is the positive root of
    $(1 + h/2) u'^2 - B u' - (a - 1/2) h / 2 = 0$.
    """
    root = jnp.sqrt(v)
    pull = jnp.where(v > 0, drive / jnp.where(v > 0, 2 * root, 1), 0)
    base = root + pull * h + jnp.sqrt(jnp.asarray(h / 2, v.dtype)) * jax.random.normal(key, v.shape, v.dtype)
    lead = 1 + h / 2
    return jnp.square((base + jnp.sqrt(base**2 + 2 * lead * (jnp.asarray(a, v.dtype) - 0.5) * h)) / (2 * lead))


def log_euler(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    r"""Euler in $\log v$: $d\log v = [(a - 1 + p z R)/v - 1] d\lambda + \sqrt{2/v}\, dW$; positive, but stiff near 0.

    Where v is below h the step in log v exceeds any bound: it serves where paths keep away from 0, at a of 2 or more.
    """
    normal = jax.random.normal(key, v.shape, v.dtype)
    return v * jnp.exp(((a - 1 + drive) / v - 1) * h + jnp.sqrt(2 * h / v) * normal)


def quadratic_exponential(key: PRNGKeyArray, v: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    r"""Moment matching (Andersen): with the drive frozen, the step is CIR of level a + pzR, whose moments are known.

    Where $\psi = \mathrm{var}/\mathrm{mean}^2 \le 1.5$ a squared Gaussian is matched, else a mass at 0 and an
    exponential.
    """
    level = a + drive
    kappa, lost = jnp.exp(-jnp.asarray(h, v.dtype)), -jnp.expm1(-jnp.asarray(h, v.dtype))
    mean = level + kappa * (v - level)
    variance = 2 * v * kappa * lost + level * lost**2
    psi = variance / mean**2
    small = jnp.minimum(psi, 1.5)
    b2 = 2 / small - 1 + jnp.sqrt(2 / small) * jnp.sqrt(2 / small - 1)
    squared = mean / (1 + b2) * (jnp.sqrt(b2) + jax.random.normal(key, v.shape, v.dtype)) ** 2
    large = jnp.maximum(psi, 1.0)
    at_zero = (large - 1) / (large + 1)
    uniform = jax.random.uniform(jax.random.fold_in(key, 1), v.shape, v.dtype)
    tail = mean / (1 - at_zero) * (jnp.log1p(-at_zero) - jnp.log1p(-uniform))
    return jnp.where(psi <= 1.5, squared, jnp.where(uniform <= at_zero, 0, tail))


SCHEMES: dict[str, Step] = {
    "euler-reflected": euler_reflected,
    "euler-truncated": euler_truncated,
    "euler-floored": euler_floored,
    "milstein": milstein,
    "implicit-root": implicit_root,
    "log-euler": log_euler,
    "quadratic-exponential": quadratic_exponential,
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


def _euler(key: PRNGKeyArray, v: Vectors, spread: Vectors, drive: Vectors, a: Shape, h: Scalar) -> Vectors:
    return v + (a - v + drive) * h + jnp.sqrt(2 * spread * h) * jax.random.normal(key, v.shape, v.dtype)
