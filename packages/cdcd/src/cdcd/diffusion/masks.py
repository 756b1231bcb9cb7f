"""Masks of training: 1 where a token is noisy and predicted, 0 where it is given (paper, section 4.1)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from cdcd.config import MaskConfig


def prefix_mask(given: Int[Array, " batch"], length: int) -> Bool[Array, "batch {length}"]:
    """The first `given` tokens of each sequence are given."""
    return jnp.arange(length) >= given[:, None]


def random_mask(key: PRNGKeyArray, given: Int[Array, " batch"], length: int) -> Bool[Array, "batch {length}"]:
    """A uniformly random set of `given` tokens of each sequence is given."""
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(key, (len(given), length)), axis=-1), axis=-1)
    return ranks >= given[:, None]


def training_mask(key: PRNGKeyArray, config: MaskConfig, batch: int, length: int) -> Bool[Array, "{batch} {length}"]:
    """Masks of a batch; every row has at least one noisy token, because at most L - 1 are given.

    Args:
        key: of the random numbers.
        config: the strategy.
        batch: number of sequences.
        length: L.
    """
    if config.strategy == "none":
        return jnp.ones((batch, length), bool)
    if config.strategy == "fixed-prefix":
        return prefix_mask(jnp.full(batch, config.prefix), length)
    key_given, key_places, key_kind = jax.random.split(key, 3)
    given = jax.random.randint(key_given, (batch,), 0, length)
    prefix, anywhere = prefix_mask(given, length), random_mask(key_places, given, length)
    share = {"prefix": 1.0, "random": 0.0, "mixed": config.prefix_share}[config.strategy]
    return jnp.where(jax.random.bernoulli(key_kind, share, (batch, 1)), prefix, anywhere)


def keeps_condition(key: PRNGKeyArray, rate: float, batch: int) -> Bool[Array, " {batch}"]:
    """Which sequences show their given tokens; the rest is trained without them, for guidance (paper, section 4.3)."""
    return ~jax.random.bernoulli(key, rate, (batch,))
