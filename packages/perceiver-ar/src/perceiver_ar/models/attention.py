r"""Attention in blocks with its own backward pass: no array ever has an entry for each pair of query and key.

Every function here returns a `Partial`: attention over *some* keys, with the logarithm of the sum of its exponentials.
Two partials over different keys merge exactly, so the causal cross-attention of N latents over M inputs is the plain
attention over the M - N inputs before the first latent, merged with the square causal one over the latents' own inputs.
Where lengths in a batch differ, indices say who may see whom.

Axes: B batch, N queries, M keys, H heads, d channels of a head; inside blocks arrays are [B, H, N, d].
"""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Bool, Float, Int

# Stands for the logarithm of an empty sum: finite, so that merging two empty rows makes no NaN.
EMPTY = -1e30


# The index of keys that nobody may see, and of queries that may see every other key.
NOBODY = 2**31 - 1


EVERYBODY = 2**31 - 2


# The library kernel on a GPU; our own one serves everywhere else.
LIBRARY: Literal["xla", "cudnn"] = "cudnn"


# Longest block on a CPU: the scores of larger ones leave its cache, which makes a pair up to four times as slow.
CPU_BLOCK = 128


Kind = Literal["indexed", "full", "causal"]


class Partial(NamedTuple):
    r"""Attention over some keys: $o_j = \sum_m e^{s_{jm} - l_j} v_m$ and $l_j = \log \sum_m e^{s_{jm}}$, float32.

    Rows without any key hold zeros and `EMPTY`.
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
) -> Partial:
    r"""Softmax attention $s_{jm} = q_j \cdot k_m / \sqrt d$ over all keys, or over those with $m \le j$ where `causal`.

    Args:
        q: queries.
        k: keys.
        v: values.
        causal: the j-th query sees keys 0 to j.
        chunk: queries and keys in a block; sets memory, not results.
    """
    queries, keys = q.shape[1], k.shape[1]
    query_index = jnp.arange(queries)[None] if causal else jnp.full((1, queries), EVERYBODY)
    key_index = jnp.arange(keys)[None] if causal else jnp.zeros((1, keys), int)
    kind: Kind = "causal" if causal else "full"
    values, log_sum = _attention(kind, chunk, q, k, v, query_index, key_index, None)
    return Partial(values, log_sum)


def attend_by_index(
    q: Float[Array, "batch queries heads channels"],
    k: Float[Array, "batch keys heads channels"],
    v: Float[Array, "batch keys heads value_channels"],
    query_index: Int[Array, "batch queries"],
    key_index: Int[Array, "batch keys"],
    hidden: Bool[Array, "batch keys"] | None = None,
    *,
    chunk: int = 1024,
) -> Partial:
    """Attention where a query of index p sees the keys of index m <= p.

    Args:
        q: queries.
        k: keys.
        v: values.
        query_index: p; -1 for a query that sees nothing.
        key_index: m >= 0; `NOBODY` for padding.
        hidden: keys that only a query of the same index sees (prefix dropout never blinds a latent to its own input).
        chunk: queries and keys in a block.
    """
    values, log_sum = _attention("indexed", chunk, q, k, v, query_index, key_index, hidden)
    return Partial(values, log_sum)


def attend_one(
    q: Float[Array, "batch 1 heads channels"],
    k: Float[Array, "batch keys heads channels"],
    v: Float[Array, "batch keys heads value_channels"],
    key_index: Int[Array, "batch keys"],
) -> Partial:
    """Attention of a single query, as each step of cached sampling asks for it: all keys but those of `NOBODY`."""
    scores = jnp.einsum("bnhd,bmhd->bhnm", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    seen = (key_index < NOBODY)[:, None, None]
    largest = jnp.where(seen, scores, EMPTY).max(axis=-1, keepdims=True)
    weights = jnp.where(seen, jnp.exp(scores - largest), 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    some = total > 0
    total = jnp.where(some, total, 1.0)
    weights = (weights / total).astype(v.dtype)
    values = jnp.einsum("bhnm,bmhd->bnhd", weights, v, preferred_element_type=jnp.float32)
    log_sum = jnp.where(some, largest + jnp.log(total), EMPTY)
    return Partial(values, rearrange(log_sum, "b h n 1 -> b n h"))


def merge(*parts: Partial) -> Partial:
    r"""Attention over the union of disjoint sets of keys: $l = \log \sum_i e^{l_i}$, $o = \sum_i e^{l_i - l} o_i$."""
    log_sum = functools.reduce(jnp.logaddexp, [part.log_sum for part in parts])
    weighted = [jnp.exp(part.log_sum - log_sum)[..., None] * part.values for part in parts]
    return Partial(functools.reduce(jnp.add, weighted), log_sum)


def offset_causal(
    q: Float[Array, "batch latents heads channels"],
    k: Float[Array, "batch inputs heads channels"],
    v: Float[Array, "batch inputs heads value_channels"],
    *,
    chunk: int = 1024,
) -> Partial:
    """The latents sit at the last N inputs; each sees every input up to its own (section 3, causal cross-attention).

    The first keys may be any part of the prefix, so prefix dropout is a shorter `k`; the last N are the latents' own.
    """
    start = k.shape[1] - q.shape[1]
    own = attend(q, k[:, start:], v[:, start:], causal=True, chunk=chunk)
    if start == 0:
        return own
    return merge(attend(q, k[:, :start], v[:, :start], chunk=chunk), own)


def _attention_values(
    kind: Kind, chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, hidden: Any
) -> tuple[Any, Any]:
    return _attention_forward(kind, chunk, q, k, v, query_index, key_index, hidden)[0]


def _library_serves(q: Array) -> bool:
    """Whether cuDNN has a kernel: a GPU, half precision, and heads that it takes."""
    halves = q.dtype in (jnp.bfloat16, jnp.float16)
    return jax.default_backend() == "gpu" and halves and q.shape[-1] % 8 == 0 and q.shape[-1] <= 128


def _attention_forward(
    kind: Kind, chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, hidden: Any
) -> Any:
    if kind != "indexed" and v.shape[-1] == q.shape[-1] and _library_serves(q):
        causal = kind == "causal"
        values, log_sum = jax.nn.dot_product_attention(
            q, k, v, is_causal=causal, implementation=LIBRARY, return_residual=True
        )
        values, log_sum = values.astype(jnp.float32), log_sum.astype(jnp.float32)
    else:
        values, log_sum = _forward_in_blocks(chunk, q, k, v, query_index, key_index, hidden)
    return (values, log_sum), (q, k, v, query_index, key_index, hidden, values, log_sum)


def _split(array: Any, axis: int, length: int, padding: Any) -> Any:
    """Blocks of `length` along `axis` on a new first axis, the last one filled up."""
    missing = -array.shape[axis] % length
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    array = jnp.pad(array, widths, constant_values=padding)
    shape = (*array.shape[:axis], -1, length, *array.shape[axis + 1 :])
    return jnp.moveaxis(array.reshape(shape), axis, 0)


def _block_length(length: int, chunk: int) -> int:
    """At most `chunk`, in blocks that are as even as can be: 1030 keys are two blocks of 515, not 1024 and 6."""
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


def _key_blocks(chunk: int, k: Any, v: Any, key_index: Any, hidden: Any) -> tuple[Any, ...]:
    length = _block_length(k.shape[1], chunk)
    blocks = _split(_heads_first(k), 2, length, 0), _split(_heads_first(v), 2, length, 0)
    return *blocks, _split(key_index, 1, length, NOBODY), None if hidden is None else _split(hidden, 1, length, False)


def _scores(q: Any, k: Any, query_index: Any, key_index: Any, hidden: Any) -> tuple[Any, Any]:
    """Scaled products of one block in float32, and which of them count: [B, H, n, m] and [B or 1, 1, n, m]."""
    scores = jnp.einsum("bhnd,bhmd->bhnm", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    keys, queries = key_index[:, None, None, :], query_index[:, None, :, None]
    seen = keys <= queries
    if hidden is not None:
        seen &= ~hidden[:, None, None, :] | (keys == queries)
    return scores, seen


def _any_seen(query_index: Any, key_index: Any) -> Any:
    """Whether a block can hold a pair that counts: blocks that lie wholly in the future are skipped."""
    return jnp.any(key_index.min(axis=1) <= query_index.max(axis=1))


def _forward_in_blocks(
    chunk: int, q: Any, k: Any, v: Any, query_index: Any, key_index: Any, hidden: Any
) -> tuple[Any, Any]:
    """The running softmax: sums are kept relative to the largest score so far."""
    # Indices that depend on no data are constants of a scan over layers, whose gradient would keep the mask of every
    # pair: here they come to depend on the queries.
    q, query_index, key_index = jax.lax.optimization_barrier((q, query_index, key_index))
    key_blocks = _key_blocks(chunk, k, v, key_index, hidden)

    def over_queries(_: None, block: Any) -> tuple[None, Any]:
        q, query_index = block
        shape = q.shape[:3]
        start = jnp.full(shape, EMPTY), jnp.zeros(shape), jnp.zeros((*shape, v.shape[-1]))

        def over_keys(carry: Any, block: Any) -> tuple[Any, None]:
            k, v, key_index, hidden = block

            def visit(carry: Any) -> Any:
                largest, total, values = carry
                scores, seen = _scores(q, k, query_index, key_index, hidden)
                new = jnp.maximum(largest, jnp.where(seen, scores, EMPTY).max(axis=-1))
                weights = jnp.where(seen, jnp.exp(scores - new[..., None]), 0.0)
                shrink = jnp.exp(largest - new)
                mixed = jnp.einsum("bhnm,bhmd->bhnd", weights.astype(v.dtype), v, preferred_element_type=jnp.float32)
                return new, total * shrink + weights.sum(axis=-1), values * shrink[..., None] + mixed

            return jax.lax.cond(_any_seen(query_index, key_index), visit, lambda carry: carry, carry), None

        (largest, total, values), _ = jax.lax.scan(over_keys, start, key_blocks)
        some = total > 0
        total = jnp.where(some, total, 1.0)
        return None, (values / total[..., None], jnp.where(some, largest + jnp.log(total), EMPTY))

    _, (values, log_sum) = jax.lax.scan(over_queries, None, _query_blocks(chunk, q, query_index))
    queries = q.shape[1]
    values = rearrange(values, "blocks b h n d -> b (blocks n) h d")[:, :queries]
    return values, rearrange(log_sum, "blocks b h n -> b (blocks n) h")[:, :queries]


def _attention_backward(kind: Kind, chunk: int, saved: Any, cotangents: Any) -> Any:
    r"""Scores are computed again, block by block, from the saved logarithms.

    With $P = e^{s - l}$ and cotangents $\bar o, \bar l$: $\bar v = P^T \bar o$ and
    $\bar s = P \circ (\bar o v^T - \langle \bar o, o \rangle + \bar l)$.
    """
    del kind  # one backward pass serves every forward one
    q, k, v, query_index, key_index, hidden, values, log_sum = saved
    values_bar, log_sum_bar = cotangents
    offset = (values_bar * values).sum(axis=-1) - log_sum_bar
    scale = q.shape[-1] ** -0.5
    rows = jnp.stack([log_sum, offset], axis=-1)
    q_blocks, index_blocks, bar_blocks, row_blocks = _query_blocks(chunk, q, query_index, values_bar, rows)

    def over_keys(q_bar: Any, block: Any) -> tuple[Any, Any]:
        k, v, key_index, hidden = block

        def over_queries(carry: Any, block: Any) -> tuple[Any, Any]:
            q, query_index, values_bar, rows, q_bar = block

            def visit(carry: Any, q_bar: Any) -> Any:
                k_bar, v_bar = carry
                scores, seen = _scores(q, k, query_index, key_index, hidden)
                weights = jnp.where(seen, jnp.exp(scores - rows[..., :1]), 0.0)
                bar = values_bar.astype(v.dtype)
                v_bar += jnp.einsum("bhnm,bhnd->bhmd", weights.astype(v.dtype), bar, preferred_element_type=jnp.float32)
                slope = jnp.einsum("bhnd,bhmd->bhnm", bar, v, preferred_element_type=jnp.float32) - rows[..., 1:]
                scores_bar = (weights * slope * scale).astype(q.dtype)
                k_bar += jnp.einsum("bhnm,bhnd->bhmd", scores_bar, q, preferred_element_type=jnp.float32)
                q_bar += jnp.einsum("bhnm,bhmd->bhnd", scores_bar, k, preferred_element_type=jnp.float32)
                return (k_bar, v_bar), q_bar

            return jax.lax.cond(
                _any_seen(query_index, key_index), visit, lambda carry, q_bar: (carry, q_bar), carry, q_bar
            )

        start = jnp.zeros(k.shape, jnp.float32), jnp.zeros(v.shape, jnp.float32)
        blocks = q_blocks, index_blocks, bar_blocks, row_blocks, q_bar
        (k_bar, v_bar), q_bar = jax.lax.scan(over_queries, start, blocks)
        return q_bar, (k_bar, v_bar)

    start = jnp.zeros(q_blocks.shape, jnp.float32)
    q_bar, (k_bar, v_bar) = jax.lax.scan(over_keys, start, _key_blocks(chunk, k, v, key_index, hidden))

    def whole(blocks: Any, like: Any) -> Any:
        return rearrange(blocks, "blocks b h t d -> b (blocks t) h d")[:, : like.shape[1]].astype(like.dtype)

    return whole(q_bar, q), whole(k_bar, k), whole(v_bar, v), None, None, None


_attention: Any = jax.custom_vjp(_attention_values, nondiff_argnums=(0, 1))


_attention.defvjp(_attention_forward, _attention_backward)
