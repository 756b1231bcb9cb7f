r"""The schedule-free bound on the log likelihood: denoising score matching (paper, eq. 14) in the coordinates v and m.

With score interpolation the integrand of the bound has no singularity, and the schedule drops out:

$$-\log p(x) \le \int_0^\infty
\mathbb{E} \sum_i \big(1[i = k] - p_\theta(i | v, m)\big)^2 R_{a_i-1}(2\sqrt{m v_i})^2\, dm$$

for each position, in nats, plus a small term at either end of the finite range of SNRs: the divergence from the prior
at the lowest, and the log probability of the tokens at the highest. With the exact posterior the value is the entropy
of the prior.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.config import check_positive
from onepaper.errors import UsageError

from simplex_cir.diffusion.posterior import Denoiser, Shape, per_coordinate, shape_array, shape_of
from simplex_cir.diffusion.snr import Scalar
from simplex_cir.diffusion.snr_sampling import SnrDistribution
from simplex_cir.process.cir import noise_tokens
from simplex_cir.special.bessel import log_0f1, log_0f1_slope


class Bound(NamedTuple):
    """Nats for each sequence, and its parts; `total` is their sum.

    Attributes:
        prior: divergence of the noisy distribution at the lowest SNR from pure noise.
        diffusion: the integral.
        reconstruction: minus the log probability of the tokens at the highest SNR.
    """

    prior: Float[Array, "*batch"]
    diffusion: Float[Array, "*batch"]
    reconstruction: Float[Array, "*batch"]

    @property
    def total(self) -> Float[Array, "*batch"]:
        """The bound."""
        return self.prior + self.diffusion + self.reconstruction


def integrand(
    log_probabilities: Float[Array, "*batch n"],
    tokens: Int[Array, "*batch"],
    v: Float[Array, "*batch n"],
    snr: Scalar,
    a: Shape = 1.0,
) -> Float[Array, "*batch"]:
    """The bound's integrand over m, for each position."""
    q = per_coordinate(snr, v) * v
    squared_ratio = q * log_0f1_slope(shape_array(a, v), q) ** 2
    wrong = jax.nn.one_hot(tokens, v.shape[-1], dtype=v.dtype) - jnp.exp(log_probabilities)
    return (wrong**2 * squared_ratio).sum(axis=-1)


def contributions(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    tokens: Int[Array, "batch positions"],
    num_categories: int,
    log_snrs: Float[Array, "points batch"],
    a: Shape | None = None,
) -> Float[Array, "points batch"]:
    """The bound's integrand per unit of log m, summed over positions, at the log SNRs of each sequence."""
    a = shape_of(denoiser, a)

    def at_level(_: None, level: tuple[Array, Array]) -> tuple[None, Array]:
        key, log_snr = level
        snr = jnp.exp(log_snr)
        v = noise_tokens(key, tokens, num_categories, a, snr[:, None])
        return None, snr * integrand(denoiser(v, snr), tokens, v, snr, a).sum(axis=-1)

    return jax.lax.scan(at_level, None, (jax.random.split(key, len(log_snrs)), log_snrs))[1]


def bound(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    tokens: Int[Array, "batch positions"],
    num_categories: int,
    a: Shape | None = None,
    *,
    points: int = 128,
    lowest_snr: float = 1e-3,
    highest_snr: float = 60.0,
    snr_distribution: SnrDistribution | None = None,
) -> Bound:
    r"""Monte-Carlo estimate of the bound for each sequence; unbiased up to the ends of the range.

    The integral is $\mathrm{E}[f(\lambda) / q(\lambda)]$ with f the integrand per unit of $\lambda = \log m$. Draws
    from q are stratified: one in each of `points` parts of equal probability, independent between sequences.

    Args:
        denoiser: log probabilities of the tokens.
        tokens: clean sequences.
        num_categories: n.
        a: stationary shapes, one or one for each category; by default those of the denoiser.
        points: SNRs for each sequence.
        lowest_snr: lower end of the integral.
        highest_snr: upper end.
        snr_distribution: q, over the same range; by default a logistic around 2 log n (see `diffusion.snr_sampling`).

    Raises:
        UsageError: no points, fewer than two categories, an SNR distribution over another range, or shapes that are
            not those of the denoiser.
    """
    a = shape_of(denoiser, a)
    check_positive("points", points)
    if num_categories < 2:
        raise UsageError(
            f"num_categories is {num_categories}, expected at least 2; with one category there is nothing to learn"
        )
    if snr_distribution is not None and not np.allclose(snr_distribution.range, (lowest_snr, highest_snr), rtol=1e-6):
        raise UsageError(
            f"the SNR distribution covers {snr_distribution.range[0]:g} to {snr_distribution.range[1]:g}, the bound "
            f"{lowest_snr:g} to {highest_snr:g}; give both the same range"
        )
    snr_distribution = snr_distribution or SnrDistribution.logistic(
        lowest_snr, highest_snr, centre=2 * math.log(num_categories)
    )
    batch = tokens.shape[0]
    level_key, noise_key, end_key = jax.random.split(key, 3)
    log_snrs = snr_distribution.quantile(_stratified(level_key, points, batch))
    values = contributions(noise_key, denoiser, tokens, num_categories, log_snrs, a)
    first_key, last_key = jax.random.split(end_key)
    lowest = noise_tokens(first_key, tokens, num_categories, a, jnp.asarray(lowest_snr))
    own = jnp.take_along_axis(lowest, tokens[..., None], axis=-1)[..., 0]
    own_shape = shape_array(a, jnp.zeros(num_categories, own.dtype))[tokens]
    prior = (log_0f1(own_shape, lowest_snr * own) - lowest_snr).sum(axis=-1)
    highest = noise_tokens(last_key, tokens, num_categories, a, jnp.asarray(highest_snr))
    log_probabilities = denoiser(highest, jnp.full(batch, highest_snr))
    chosen = jnp.take_along_axis(log_probabilities, tokens[..., None], axis=-1)[..., 0]
    return Bound(prior, (values / snr_distribution.density(log_snrs)).mean(axis=0), -chosen.sum(axis=-1))


def fitted_snr_distribution(
    key: PRNGKeyArray,
    denoiser: Denoiser,
    tokens: Int[Array, "batch positions"],
    num_categories: int,
    a: Shape | None = None,
    *,
    points: int = 32,
    lowest_snr: float = 1e-3,
    highest_snr: float = 60.0,
) -> SnrDistribution:
    """A distribution fitted to a denoiser: a histogram of its integrand, on other sequences than those to be evaluated.

    Raises:
        UsageError: too few sequences and points to fill the histogram.
    """
    level_key, noise_key = jax.random.split(key)
    even = SnrDistribution.even(lowest_snr, highest_snr)
    log_snrs = even.quantile(_stratified(level_key, points, tokens.shape[0]))
    values = contributions(noise_key, denoiser, tokens, num_categories, log_snrs, a)
    return SnrDistribution.fitted(np.asarray(log_snrs), np.asarray(values), lowest_snr, highest_snr)


def _stratified(key: PRNGKeyArray, points: int, batch: int) -> Float[Array, "points batch"]:
    """One uniform number in each of `points` equal parts of [0, 1], for each sequence."""
    return (jnp.arange(points)[:, None] + jax.random.uniform(key, (points, batch))) / points
