r"""A codebook of vectors that follows the encoder by moving averages (van den Oord et al., 2017, appendix A.1).

Of each code i its count and the sum of its vectors are kept, and its vector is their ratio:
$N_i \leftarrow \gamma N_i + (1 - \gamma)\, n_i$, $m_i \leftarrow \gamma m_i + (1 - \gamma) \sum_{x \to i} x$,
$e_i = m_i / N_i$. There is no third variable, so that counts and sums agree after the start by k-means and after a code
is revived too. All sums are over the batch, which spans all processes.

Axes: M vectors, K codes, D dimensions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from slowae_rlt.config import CodebookConfig

K_MEANS_ITERATIONS = 10


class Statistics(NamedTuple):
    """Count of each code and sum of its vectors."""

    counts: Float[Array, " K"]
    sums: Float[Array, "K D"]

    def vectors(self) -> Float[Array, "K D"]:
        """Of the codes; 0 for a code that was never used."""
        return self.sums / jnp.maximum(self.counts, 1e-12)[:, None]


def nearest_codes(x: Float[Array, "*M D"], vectors: Float[Array, "K D"]) -> Int[Array, "*M"]:
    r"""$\mathrm{argmin}_i \lVert x - e_i \rVert^2$, the first among equal ones."""
    return jnp.argmin(jnp.square(vectors).sum(axis=-1) - 2.0 * x @ vectors.T, axis=-1).astype(jnp.int32)


def batch_statistics(x: Float[Array, "M D"], codes: Int[Array, " M"], count: int) -> Statistics:
    """Of the vectors of a batch."""
    chosen = jax.nn.one_hot(codes, count)
    return Statistics(chosen.sum(axis=0), chosen.T @ x)


def revive(statistics: Statistics, x: Float[Array, "M D"], threshold: float, key: PRNGKeyArray) -> Statistics:
    """Codes with a count below the threshold become random vectors of the batch, with a count of 1."""
    drawn = x[jax.random.randint(key, statistics.counts.shape, 0, len(x))]
    unused = statistics.counts < threshold
    return Statistics(jnp.where(unused, 1.0, statistics.counts), jnp.where(unused[:, None], drawn, statistics.sums))


def k_means(x: Float[Array, "M D"], count: int, key: PRNGKeyArray) -> Statistics:
    """Counts and sums of the clusters that Lloyd's algorithm finds; an empty cluster is a random vector."""
    keys = jax.random.split(key, K_MEANS_ITERATIONS + 1)
    start = Statistics(jnp.ones(count), x[jax.random.permutation(keys[0], max(len(x), count))[:count] % len(x)])

    def iterate(number: int, found: Statistics) -> Statistics:
        own = batch_statistics(x, nearest_codes(x, found.vectors()), count)
        return revive(own, x, 0.5, keys[number + 1])

    return jax.lax.fori_loop(0, K_MEANS_ITERATIONS, iterate, start)


def update_statistics(
    statistics: Statistics, x: Float[Array, "M D"], config: CodebookConfig, key: PRNGKeyArray
) -> Statistics:
    """After a batch: those of k-means if no code has a count yet, otherwise the moving averages, with revival."""

    def move(old: Statistics) -> Statistics:
        own = batch_statistics(x, nearest_codes(x, old.vectors()), config.codes)
        moved = Statistics(
            *(config.decay * before + (1 - config.decay) * now for before, now in zip(old, own, strict=True))
        )
        return revive(moved, x, config.revive_below, key)

    started = statistics.counts.sum() > 0
    return jax.lax.cond(started, move, lambda _: k_means(x, config.codes, key), statistics)


class CodebookVariable(nnx.Variable):
    """Statistics, which a training step updates without gradients."""


class Codebook(nnx.Module):
    """The codes of a model, and their statistics."""

    def __init__(self, config: CodebookConfig) -> None:
        self.config = config
        self.counts = CodebookVariable(jnp.zeros(config.codes))
        self.sums = CodebookVariable(jnp.zeros((config.codes, config.dim)))

    @property
    def statistics(self) -> Statistics:
        """As they are now."""
        return Statistics(self.counts[...], self.sums[...])

    def update(self, x: Float[Array, "M D"], key: PRNGKeyArray) -> None:
        """Statistics after a batch of a training."""
        self.counts[...], self.sums[...] = update_statistics(self.statistics, x, self.config, key)
