r"""Blockwise (flash) attention with a custom backward pass: memory grows with N + M, not with N M.

Every function returns a `PartialAttention`: attention over a subset of the keys, with the log-sum-exp of its scores.
Partial results over disjoint keys merge exactly. So the causal cross-attention of N latents over M inputs (paper,
causal cross-attention) is unmasked attention over the M - N inputs before the first latent, merged with causal N x N
attention over the inputs of the latents. Where lengths in a batch differ, indices of queries and keys give the mask.

Axes: B batch, N queries, M keys, H heads, d channels of a head; inside blocks arrays are [B, H, N, d].
"""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int

# Log-sum-exp of an empty set of keys: finite, so that merging two empty rows gives no NaN.
NEG_INF = -1e30


# Index of keys that no query attends to, and of queries that attend to all other keys.
MASKED_KEY = 2**31 - 1


UNMASKED_QUERY = 2**31 - 2


# Implementation of `jax.nn.dot_product_attention` on a GPU; elsewhere the blockwise loop below runs.
GPU_KERNEL: Literal["xla", "cudnn"] = "cudnn"


# Longest block on a CPU: the scores of larger blocks do not fit its cache, which is up to four times slower.
CPU_BLOCK = 256


Kind = Literal["indexed", "full", "causal"]


class PartialAttention(NamedTuple):
    r"""Attention over a subset of the keys: $o_j = \sum_m e^{s_{jm} - l_j} v_m$ and $l_j = \log \sum_m e^{s_{jm}}$.

    Both are float32. Rows without any key hold zeros and `NEG_INF`.
    """

    values: Float[Array, "batch queries heads value_channels"]
    log_sum: Float[Array, "batch queries heads"]


def attend(
    q: Float[Array, "batch queries heads channels"],
    k: Float[Array, "batch keys heads channels"],
    v: Float[Array, "batch keys heads value_channels"],
    *,
    causal: bool = False,
    chunk: int = 1024,
) -> PartialAttention:
    r"""Softmax attention $s_{jm} = q_j \cdot k_m / \sqrt d$ over all keys, or over those with $m \le j$ where `causal`.

    Args:
        q: queries.
        k: keys.
        v: values.
        causal: query j attends to keys 0 to j.
        chunk: block length of queries and keys; affects memory, not results.
    """
    queries, keys = q.shape[1], k.shape[1]
    query_index = jnp.arange(queries)[None] if causal else jnp.full((1, queries), UNMASKED_QUERY)
    key_index = jnp.arange(keys)[None] if causal else jnp.zeros((1, keys), int)
    kind: Kind = "causal" if causal else "full"
    values, log_sum = _attention(kind, chunk, q, k, v, query_index, key_index, None)
    return PartialAttention(values, log_sum)


def attend_by_index(
    q: Float[Array, "batch queries heads channels"],
    k: Float[Array, "batch keys heads channels"],
    v: Float[Array, "batch keys heads value_channels"],
    query_index: Int[Array, "batch queries"],
    key_index: Int[Array, "batch keys"],
    dropped: Bool[Array, "batch keys"] | None = None,
    *,
    chunk: int = 1024,
) -> PartialAttention:
    """Attention where a query of index p attends to the keys of index m <= p.

    Args:
        q: queries.
        k: keys.
        v: values.
        query_index: p; -1 for a query without keys.
        key_index: m >= 0; `MASKED_KEY` for padding.
        dropped: keys that only a query of the same index attends to (prefix dropout keeps each latent's own input).
        chunk: block length of queries and keys.
    """
    values, log_sum = _attention("indexed", chunk, q, k, v, query_index, key_index, dropped)
    return PartialAttention(values, log_sum)


def attend_one(
    q: Float[Array, "batch 1 heads channels"],
    k: Float[Array, "batch keys heads channels"],
    v: Float[Array, "batch keys heads value_channels"],
    key_index: Int[Array, "batch keys"],
) -> PartialAttention:
    """Attention of a single query, for one step of cached sampling, to all keys but those of index `MASKED_KEY`."""
    scores = jnp.einsum("bnhd,bmhd->bhnm", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    seen = (key_index < MASKED_KEY)[:, None, None]
    largest = jnp.where(seen, scores, NEG_INF).max(axis=-1, keepdims=True)
    weights = jnp.where(seen, jnp.exp(scores - largest), 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    some = total > 0
    total = jnp.where(some, total, 1.0)
    weights = (weights / total).astype(v.dtype)
    values = jnp.einsum("bhnm,bmhd->bnhd", weights, v, preferred_element_type=jnp.float32)
    log_sum = jnp.where(some, largest + jnp.log(total), NEG_INF)
    return PartialAttention(values, rearrange(log_sum, "b h n 1 -> b n h"))


def merge(*parts: PartialAttention) -> PartialAttention:
    r"""Attention over the union of disjoint sets of keys: $l = \log \sum_i e^{l_i}$, $o = \sum_i e^{l_i - l} o_i$."""
    log_sum = functools.reduce(jnp.logaddexp, [part.log_sum for part in parts])
    weighted = [jnp.exp(part.log_sum - log_sum)[..., None] * part.values for part in parts]
    return PartialAttention(functools.reduce(jnp.add, weighted), log_sum)


def offset_causal(
    q: Float[Array, "batch latents heads channels"],
    k: Float[Array, "batch inputs heads channels"],
    v: Float[Array, "batch inputs heads value_channels"],
    *,
    chunk: int = 1024,
) -> PartialAttention:
    """Offset causal mask: latents stand at the last N inputs and attend to all inputs up to their own.

    Paper, causal cross-attention. The keys before the last N may be any subset of the prefix, so prefix dropout is a
    shorter `k`.
    """
    start = k.shape[1] - q.shape[1]
    latent_part = attend(q, k[:, start:], v[:, start:], causal=True, chunk=chunk)
    if start == 0:
        return latent_part
    return merge(attend(q, k[:, :start], v[:, :start], chunk=chunk), latent_part)


def _attention_values(
    kind: Kind, chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, dropped: Any
) -> tuple[Any, Any]:
    return _attention_forward(kind, chunk, q, k, v, query_index, key_index, dropped)[0]


def _cudnn_supports(q: Array) -> bool:
    """Whether cuDNN has a kernel: a GPU, half precision, and a head width that it supports."""
    halves = q.dtype in (jnp.bfloat16, jnp.float16)
    return jax.default_backend() == "gpu" and halves and q.shape[-1] % 8 == 0 and q.shape[-1] <= 128


def _attention_forward(
    kind: Kind, chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, dropped: Any
) -> Any:
    if kind != "indexed" and v.shape[-1] == q.shape[-1] and _cudnn_supports(q):
        causal = kind == "causal"
        values, log_sum = jax.nn.dot_product_attention(
            q, k, v, is_causal=causal, implementation=GPU_KERNEL, return_residual=True
        )
        values, log_sum = values.astype(jnp.float32), log_sum.astype(jnp.float32)
    else:
        values, log_sum = _forward_in_blocks(chunk, q, k, v, query_index, key_index, dropped)
    return (values, log_sum), (q, k, v, query_index, key_index, dropped, values, log_sum)


def _split(array: Any, axis: int, length: int, padding: Any) -> Any:
    """Blocks of `length` along `axis` on a new first axis, the last one padded."""
    missing = -array.shape[axis] % length
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    array = jnp.pad(array, widths, constant_values=padding)
    shape = (*array.shape[:axis], -1, length, *array.shape[axis + 1 :])
    return jnp.moveaxis(array.reshape(shape), axis, 0)


def _block_length(length: int, chunk: int) -> int:
    """A block length of at most `chunk` that splits evenly: 1030 keys are two blocks of 515, not 1024 and 6."""
    if jax.default_backend() == "cpu":
        chunk = min(chunk, CPU_BLOCK)
    blocks = max(1, -(-length // chunk))
    return max(1, -(-length // blocks))


def _heads_first(array: Any) -> Any:
    return rearrange(array, "b t h d -> b h t d")


def _query_blocks(chunk: int, q: Any, query_index: Any, *more: Any) -> tuple[Any, ...]:
    length = _block_length(q.shape[1], chunk)
    arrays = [_split(_heads_first(array), 2, length, 0) for array in (q, *more)]
    return arrays[0], _split(query_index, 1, length, -1), *arrays[1:]


def _key_blocks(chunk: int, k: Any, v: Any, key_index: Any, dropped: Any) -> tuple[Any, ...]:
    length = _block_length(k.shape[1], chunk)
    blocks = _split(_heads_first(k), 2, length, 0), _split(_heads_first(v), 2, length, 0)
    return (
        *blocks,
        _split(key_index, 1, length, MASKED_KEY),
        None if dropped is None else _split(dropped, 1, length, False),
    )


def _scores(q: Any, k: Any, query_index: Any, key_index: Any, dropped: Any) -> tuple[Any, Any]:
    """Scaled scores of one block in float32, [B, H, n, m], and the mask, [B or 1, 1, n, m]."""
    scores = jnp.einsum("bhnd,bhmd->bhnm", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    keys, queries = key_index[:, None, None, :], query_index[:, None, :, None]
    seen = keys <= queries
    if dropped is not None:
        seen &= ~dropped[:, None, None, :] | (keys == queries)
    return scores, seen


def _any_seen(query_index: Any, key_index: Any) -> Any:
    """Whether a block can hold an unmasked pair: blocks that are entirely in the future are skipped."""
    return jnp.any(key_index.min(axis=1) <= query_index.max(axis=1))


def _forward_in_blocks(
    chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, dropped: Any
) -> tuple[Any, Any]:
    """Online softmax: sums are kept relative to the largest score so far."""
    # Indices that depend on no data are constants of a scan over layers, whose gradient would keep the mask of every
    # pair; the barrier makes them depend on the queries.
    q, query_index, key_index = jax.lax.optimization_barrier((q, query_index, key_index))
    key_blocks = _key_blocks(chunk, k, v, key_index, dropped)

    def over_queries(_: None, block: Any) -> tuple[None, Any]:
        q, query_index = block
        shape = q.shape[:3]
        start = jnp.full(shape, NEG_INF), jnp.zeros(shape), jnp.zeros((*shape, v.shape[-1]))

        def over_keys(carry: Any, block: Any) -> tuple[Any, None]:
            k, v, key_index, dropped = block

            def visit(carry: Any) -> Any:
                largest, total, values = carry
                scores, seen = _scores(q, k, query_index, key_index, dropped)
                new = jnp.maximum(largest, jnp.where(seen, scores, NEG_INF).max(axis=-1))
                weights = jnp.where(seen, jnp.exp(scores - new[..., None]), 0.0)
                shrink = jnp.exp(largest - new)
                mixed = jnp.einsum("bhnm,bhmd->bhnd", weights.astype(v.dtype), v, preferred_element_type=jnp.float32)
                return new, total * shrink + weights.sum(axis=-1), values * shrink[..., None] + mixed

            return jax.lax.cond(_any_seen(query_index, key_index), visit, lambda carry: carry, carry), None

        (largest, total, values), _ = jax.lax.scan(over_keys, start, key_blocks)
        some = total > 0
        total = jnp.where(some, total, 1.0)
        return None, (values / total[..., None], jnp.where(some, largest + jnp.log(total), NEG_INF))

    _, (values, log_sum) = jax.lax.scan(over_queries, None, _query_blocks(chunk, q, query_index))
    queries = q.shape[1]
    values = rearrange(values, "blocks b h n d -> b (blocks n) h d")[:, :queries]
    return values, rearrange(log_sum, "blocks b h n -> b (blocks n) h")[:, :queries]


def _attention_backward(kind: Kind, chunk: int, saved: Any, cotangents: Any) -> Any:
    r"""Backward pass: scores are recomputed block by block from the saved log-sum-exp.

    With $P = e^{s - l}$ and cotangents $\bar o, \bar l$: $\bar v = P^T \bar o$ and
    $\bar s = P \circ (\bar o v^T - \langle \bar o, o \rangle + \bar l)$.
    """
    del kind  # the backward pass is the same for all kinds
    q, k, v, query_index, key_index, dropped, values, log_sum = saved
    values_bar, log_sum_bar = cotangents
    offset = (values_bar * values).sum(axis=-1) - log_sum_bar
    scale = q.shape[-1] ** -0.5
    product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
    rows = jnp.stack([log_sum, offset], axis=-1)
    q_blocks, index_blocks, bar_blocks, row_blocks = _query_blocks(chunk, q, query_index, values_bar, rows)
    bar_blocks = bar_blocks.astype(v.dtype)
    # Products with P^T are computed as [d, n] times [n, m]: CPUs contract the last axis of the first factor faster.
    transposed_q, transposed_bar = (rearrange(blocks, "... n d -> ... d n") for blocks in (q_blocks, bar_blocks))

    def over_keys(q_bar: Any, block: Any) -> tuple[Any, Any]:
        k, v, key_index, dropped = block

        def over_queries(carry: Any, block: Any) -> tuple[Any, Any]:
            q, transposed_q, query_index, bar, transposed_bar, rows, q_bar = block

            def visit(carry: Any, q_bar: Any) -> Any:
                k_bar, v_bar = carry
                scores, seen = _scores(q, k, query_index, key_index, dropped)
                weights = jnp.where(seen, jnp.exp(scores - rows[..., :1]), 0.0)
                v_bar += product("bhdn,bhnm->bhdm", transposed_bar, weights.astype(v.dtype))
                slope = product("bhnd,bhmd->bhnm", bar, v) - rows[..., 1:]
                scores_bar = (weights * slope * scale).astype(q.dtype)
                k_bar += product("bhdn,bhnm->bhdm", transposed_q, scores_bar)
                q_bar += product("bhnm,bhmd->bhnd", scores_bar, k)
                return (k_bar, v_bar), q_bar

            return jax.lax.cond(
                _any_seen(query_index, key_index), visit, lambda carry, q_bar: (carry, q_bar), carry, q_bar
            )

        start = tuple(jnp.zeros((*array.shape[:2], array.shape[3], array.shape[2])) for array in (k, v))
        blocks = q_blocks, transposed_q, index_blocks, bar_blocks, transposed_bar, row_blocks, q_bar
        (k_bar, v_bar), q_bar = jax.lax.scan(over_queries, start, blocks)
        return q_bar, (k_bar, v_bar)

    start = jnp.zeros(q_blocks.shape, jnp.float32)
    q_bar, (k_bar, v_bar) = jax.lax.scan(over_keys, start, _key_blocks(chunk, k, v, key_index, dropped))

    def unblock(axes: str, blocks: Any, like: Any) -> Any:
        return rearrange(blocks, f"blocks {axes} -> b (blocks t) h d")[:, : like.shape[1]].astype(like.dtype)

    of_keys = (unblock("b h d t", blocks, like) for blocks, like in ((k_bar, k), (v_bar, v)))
    return unblock("b h t d", q_bar, q), *of_keys, None, None, None


_attention: Any = jax.custom_vjp(_attention_values, nondiff_argnums=(0, 1))


_attention.defvjp(_attention_forward, _attention_backward)
