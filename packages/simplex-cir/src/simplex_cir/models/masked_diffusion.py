r"""The baseline: absorbing-state (masked) discrete diffusion with the same transformer, and no vectors at all.

A token is either kept or hidden; at mask rate t every position is hidden with probability t. The bound is the integral
over mask rates of the cross-entropy of hidden tokens, weighted by 1/t. Drawing t first and then the number j of hidden
positions is drawing j alone, evenly from 1 to L, so the integral is the sum

$$-\log p(x) \le \sum_{j=1}^{L} \mathbb{E}_{|H| = j}\, \frac1j \sum_{i \in H} -\log p_\theta(x_i | x_{\setminus H}),$$

the bound of an order-agnostic autoregressive model. Unlike the simplex diffusion's it has no end that is cut.

The network is a `SimplexDenoiser` without evidence, weight for weight: a kept token is shown as a one-hot vector, a
hidden one as the vector of no information, and the share of hidden positions takes the place of the SNR.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from simplex_cir.models.denoiser import SimplexDenoiser

# Vectors have features 2 (sqrt(v) - 1): -2 and 2 for the entries of a kept token, 0 for those of a hidden one.
KEPT, HIDDEN = 4.0, 1.0


def predict(
    model: SimplexDenoiser, tokens: Int[Array, "batch positions"], hidden: Bool[Array, "batch positions"]
) -> Float[Array, "batch positions n"]:
    """Log probabilities of the tokens at every position, given those that are not hidden."""
    kept = KEPT * jax.nn.one_hot(tokens, model.config.num_categories)
    return model(jnp.where(hidden[..., None], HIDDEN, kept), jnp.exp(hidden.mean(axis=1)))


def hide(key: PRNGKeyArray, counts: Int[Array, " batch"], positions: int) -> Bool[Array, "batch positions"]:
    """That many positions of each sequence, drawn at random."""
    order = jnp.argsort(jax.random.uniform(key, (len(counts), positions)), axis=1)
    return jnp.argsort(order, axis=1) < counts[:, None]


def terms(
    key: PRNGKeyArray, model: SimplexDenoiser, tokens: Int[Array, "batch positions"], counts: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """One term of the bound's sum for each sequence, that of its number of hidden positions."""
    hidden = hide(key, counts, tokens.shape[1])
    chosen = jnp.take_along_axis(predict(model, tokens, hidden), tokens[..., None], axis=-1)[..., 0]
    return -jnp.where(hidden, chosen, 0.0).sum(axis=1) / counts


def masked_loss(model: SimplexDenoiser, batch: Mapping[str, Array], key: PRNGKeyArray) -> tuple[Array, Array]:
    """Loss sum and weight: the bound in nats a position, numbers of hidden positions spread evenly over the batch."""
    tokens = batch["tokens"]
    count_key, key = jax.random.split(key)
    counts = jax.random.permutation(count_key, jnp.arange(len(tokens)) % tokens.shape[1]) + 1
    return terms(key, model, tokens, counts).sum(), jnp.asarray(len(tokens))


def masked_bound(
    key: PRNGKeyArray, model: SimplexDenoiser, tokens: Int[Array, "batch positions"], *, repeats: int = 1
) -> Float[Array, " batch"]:
    """The bound for each sequence, nats: every term of the sum, for `repeats` draws of what is hidden."""
    positions = tokens.shape[1]

    def at_count(total: Array, numbered: tuple[Array, Array]) -> tuple[Array, None]:
        key, count = numbered
        return total + terms(key, model, tokens, jnp.full(len(tokens), count)), None

    counts = jnp.tile(jnp.arange(1, positions + 1), repeats)
    keys = jax.random.split(key, len(counts))
    return jax.lax.scan(at_count, jnp.zeros(len(tokens)), (keys, counts))[0] / repeats


def masked_sample(key: PRNGKeyArray, model: SimplexDenoiser, count: int) -> Int[Array, "count positions"]:
    """Sequences, one position after the other in a random order: nothing is drawn in parallel, so no error of that."""
    positions = model.config.positions
    order_key, key = jax.random.split(key)
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(order_key, (count, positions)), axis=1), axis=1)

    def step(tokens: Array, numbered: tuple[Array, Array]) -> tuple[Array, None]:
        key, rank = numbered
        drawn = jax.random.categorical(key, predict(model, tokens, ranks >= rank), axis=-1)
        return jnp.where(ranks == rank, drawn, tokens), None

    start = jnp.zeros((count, positions), jnp.int32)
    return jax.lax.scan(step, start, (jax.random.split(key, positions), jnp.arange(positions)))[0]
