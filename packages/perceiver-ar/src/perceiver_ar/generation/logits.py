"""From logits to a token: allowed tokens, top-k, top-p, temperature."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from perceiver_ar.config import SamplingOptions


def filter_logits(logits: Float[Array, "batch vocab"], options: SamplingOptions) -> Float[Array, "batch vocab"]:
    """Top-k and nucleus filtering: logits of removed tokens become -inf; ties with the last kept token are kept."""
    size = logits.shape[-1]
    if 0 < options.top_k < size:
        least = jax.lax.top_k(logits, options.top_k)[0][..., -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if options.top_p < 1:
        ordered = -jnp.sort(-logits, axis=-1)
        probabilities = jax.nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        least = jnp.where(before < options.top_p, ordered, jnp.inf).min(axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return logits


def sample_token(
    key: PRNGKeyArray,
    logits: Float[Array, "batch vocab"],
    options: SamplingOptions,
    allowed: Bool[Array, "batch vocab"] | None = None,
) -> Int[Array, " batch"]:
    """One token for each row, among the allowed ones."""
    if allowed is not None:
        logits = jnp.where(allowed, logits, -jnp.inf)
    logits = filter_logits(logits, options)
    if options.temperature == 0:
        return logits.argmax(axis=-1)
    return jax.random.categorical(key, logits / options.temperature, axis=-1)
