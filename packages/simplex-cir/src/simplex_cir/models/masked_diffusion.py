r"""Baseline: absorbing-state (masked) discrete diffusion with the same transformer (Austin et al. 2021).

A token is either visible or masked; at mask rate t every position is masked with probability t. The bound is the
integral over mask rates of the cross-entropy of masked tokens, weighted by 1/t. With t uniform, the number j of masked
positions is uniform, so the integral is the sum

$$-\log p(x) \le \sum_{j=1}^{L} \mathbb{E}_{|H| = j}\, \frac1j \sum_{i \in H} -\log p_\theta(x_i | x_{\setminus H}),$$

the bound of an order-agnostic autoregressive model. Unlike that of the simplex diffusion it is not truncated.

The network is a `SimplexDenoiser` without evidence, with the same number of weights: the input of a visible token is a
one-hot vector, that of a masked one a constant vector, and the fraction of masked positions replaces the SNR.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from simplex_cir.models.denoiser import SimplexDenoiser

# Features are 2 (sqrt(v) - 1): -2 and 2 for the entries of a visible token, 0 for those of a masked one.
VISIBLE, MASKED = 4.0, 1.0


def predict(
    model: SimplexDenoiser, tokens: Int[Array, "batch positions"], masked: Bool[Array, "batch positions"]
) -> Float[Array, "batch positions n"]:
    """Log probabilities of the tokens at every position, given the visible ones."""
    visible = VISIBLE * jax.nn.one_hot(tokens, model.config.num_categories)
    return model(jnp.where(masked[..., None], MASKED, visible), jnp.exp(masked.mean(axis=1)))


def random_mask(key: PRNGKeyArray, counts: Int[Array, " batch"], positions: int) -> Bool[Array, "batch positions"]:
    """A random set of `counts` positions in each sequence."""
    order = jnp.argsort(jax.random.uniform(key, (len(counts), positions)), axis=1)
    return jnp.argsort(order, axis=1) < counts[:, None]


def bound_term(
    key: PRNGKeyArray, model: SimplexDenoiser, tokens: Int[Array, "batch positions"], counts: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """One term of the sum in the bound for each sequence, that of its number of masked positions."""
    masked = random_mask(key, counts, tokens.shape[1])
    chosen = jnp.take_along_axis(predict(model, tokens, masked), tokens[..., None], axis=-1)[..., 0]
    return -jnp.where(masked, chosen, 0.0).sum(axis=1) / counts


def masked_loss(model: SimplexDenoiser, batch: Mapping[str, Array], key: PRNGKeyArray) -> tuple[Array, Array]:
    """Loss sum and weight: the bound in nats a position, with numbers of masked positions stratified over the batch."""
    tokens = batch["tokens"]
    count_key, key = jax.random.split(key)
    counts = jax.random.permutation(count_key, jnp.arange(len(tokens)) % tokens.shape[1]) + 1
    return bound_term(key, model, tokens, counts).sum(), jnp.asarray(len(tokens))


def masked_bound(
    key: PRNGKeyArray, model: SimplexDenoiser, tokens: Int[Array, "batch positions"], *, repeats: int = 1
) -> Float[Array, " batch"]:
    """The bound for each sequence, nats: all terms of the sum, each for `repeats` random masks."""
    positions = tokens.shape[1]

    def at_count(total: Array, key_and_count: tuple[Array, Array]) -> tuple[Array, None]:
        key, count = key_and_count
        return total + bound_term(key, model, tokens, jnp.full(len(tokens), count)), None

    counts = jnp.tile(jnp.arange(1, positions + 1), repeats)
    keys = jax.random.split(key, len(counts))
    return jax.lax.scan(at_count, jnp.zeros(len(tokens)), (keys, counts))[0] / repeats
