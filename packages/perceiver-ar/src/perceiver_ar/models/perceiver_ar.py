"""Perceiver AR: latents at the last N inputs attend once to all M inputs, then a causal stack runs on the latents.

Axes: B batch, T inputs, N latents, C and D their widths, V vocabulary, H heads, d channels of a head.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError
from onepaper.jax.linear import Linear
from onepaper.jax.state_files import load_pretrained, save_pretrained

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.attention import MASKED_KEY, NEG_INF, PartialAttention, attend, attend_by_index, merge
from perceiver_ar.models.embeddings import AdaptiveEmbedding
from perceiver_ar.models.positions import (
    fourier_features,
    latent_indices,
    make_position_ids,
    rotary_angles,
    rotate,
    sinusoids,
)

# Of layer normalization: the default of Haiku, which the official code uses.
NORM_EPSILON = 1e-5


def dropout(x: Float[Array, "*shape"], rate: float, key: PRNGKeyArray | None) -> Float[Array, "*shape"]:
    """Inverted dropout; the identity without a key, that is, outside training."""
    if key is None or rate == 0:
        return x
    kept = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(kept, x / max(1 - rate, 1e-9), 0.0)


def kept_inputs(
    key: PRNGKeyArray, candidates: Int[Array, " batch"], total: int, rate: float
) -> tuple[Int[Array, "batch kept"], Bool[Array, "batch kept"]]:
    r"""Sample $n - \lfloor p n \rfloor$ of the first n inputs of each example without replacement.

    Args:
        key: of the random numbers.
        candidates: n of each example, at most `total`.
        total: gives the static number of columns, $total - \lfloor p \cdot total \rfloor$.
        rate: p, the fraction to drop.

    Returns:
        Their indices, and which columns are valid; rows of examples with fewer candidates are padded.
    """
    columns = total - int(rate * total)
    scores = jax.random.uniform(key, (len(candidates), total))
    scores = jnp.where(jnp.arange(total) < candidates[:, None], scores, 2.0)
    input_indices = jnp.argsort(scores, axis=1)[:, :columns]
    kept = candidates - jnp.floor(rate * candidates).astype(int)
    return input_indices, jnp.arange(columns) < jnp.minimum(kept, columns)[:, None]


class Block(nnx.Module):
    """Pre-norm attention and MLP with residual connections (paper, architecture; official code, perceiver_ar_model.py).

    Args:
        config: the architecture.
        cross: whether keys come from the inputs, with their own width and norm, or from the latents.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs, *, cross: bool) -> None:
        width = config.width
        inner = config.input_dim if cross else width
        hidden = config.mlp_ratio * width
        self.config = config
        self.heads = config.num_cross_heads if cross else config.heads
        self.norm_query = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.norm_inputs = nnx.LayerNorm(inner, epsilon=NORM_EPSILON, rngs=rngs) if cross else None
        self.query = Linear(width, inner, rngs=rngs)
        self.key = Linear(inner, inner, rngs=rngs)
        self.value = Linear(inner, inner, rngs=rngs)
        self.out = Linear(inner, width, rngs=rngs)
        self.norm_hidden = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.hidden = Linear(width, hidden, rngs=rngs)
        self.down = Linear(hidden, width, rngs=rngs)

    def queries(
        self, z: Float[Array, "batch latents width"], position_ids: Int[Array, "batch latents"]
    ) -> Float[Array, "batch latents heads channels"]:
        """Queries of latents at these positions, with rotary embeddings if the model has them."""
        return self._apply_rotary(self.query(self.norm_query(z)), position_ids)

    def keys_values(
        self, x: Float[Array, "batch inputs inner"], position_ids: Int[Array, "batch inputs"]
    ) -> tuple[Float[Array, "batch inputs heads channels"], Float[Array, "batch inputs heads channels"]]:
        """Keys, with rotary embeddings if the model has them, and values."""
        normed = (self.norm_query if self.norm_inputs is None else self.norm_inputs)(x)
        value = rearrange(self.value(normed), "b t (h d) -> b t h d", h=self.heads)
        return self._apply_rotary(self.key(normed), position_ids), value

    def add(
        self,
        z: Float[Array, "batch latents width"],
        mixed: Float[Array, "batch latents heads channels"],
        key: PRNGKeyArray | None,
    ) -> Float[Array, "batch latents width"]:
        """The residual stream after the attention output and after the MLP with squared ReLU."""
        keys = (None, None) if key is None else jax.random.split(key)
        rate = self.config.dropout
        z = z + dropout(self.out(rearrange(mixed, "b t h d -> b t (h d)")), rate, keys[0])
        return z + dropout(self.down(jnp.square(jax.nn.relu(self.hidden(self.norm_hidden(z))))), rate, keys[1])

    def _apply_rotary(self, x: Array, position_ids: Array) -> Array:
        config = self.config
        x = rearrange(x, "b t (h d) -> b t h d", h=self.heads)
        if not config.uses_rotary:
            return x
        angles = rotary_angles(
            position_ids, x.shape[-1], config.rotary_fraction, config.wavelength, config.rotary_style
        )
        return rotate(x, angles, config.rotary_style, config.num_rotary_heads(self.heads))


class PerceiverAR(nnx.Module):
    """Logits of the next token at the last N inputs, each from all inputs up to its own.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        embed_dim, width = config.input_dim, config.width
        initial = nnx.initializers.truncated_normal(1.0)
        if config.adaptive_cutoffs:
            self.embed: Any = AdaptiveEmbedding(config.bands, embed_dim, rngs)
        else:
            self.embed = nnx.Embed(config.vocab_size, embed_dim, embedding_init=initial, rngs=rngs)
        learned = config.uses_absolute_positions and config.position_tables == "learned"
        sizes = config.axis_sizes if learned else ()
        self.tables = nnx.List([nnx.Embed(size, embed_dim, embedding_init=initial, rngs=rngs) for size in sizes])
        self.latent_in = Linear(embed_dim, width, rngs=rngs)
        self.cross = Block(config, rngs, cross=True)
        if config.depth:
            stacked = nnx.vmap(lambda key: Block(config, nnx.Rngs(key), cross=False))
            self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        # Zero weights make the first loss exactly ln V (official code, perceiver_ar_model.py).
        zeros = nnx.initializers.zeros
        tied = bool(config.adaptive_cutoffs)
        self.head = None if tied else Linear(width, config.vocab_size, kernel_init=zeros, rngs=rngs)

    def __call__(
        self,
        tokens: Int[Array, "batch inputs"],
        lengths: Int[Array, " batch"] | None = None,
        coordinates: Int[Array, "batch inputs axes"] | None = None,
        *,
        num_latents: int | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "batch latents vocab"]:
        """Logits of the token after each of the last N inputs; latent j is at input `latent_indices(lengths, N)[j]`.

        Args:
            tokens: ids, padded on the right.
            lengths: inputs of each example without padding; None: no padding, which allows faster attention.
            coordinates: absolute position of each input on each axis; None: its position in the sequence.
            num_latents: N of this call; None: that of the configuration.
            key: of dropout and prefix dropout, in training.

        Raises:
            UsageError: more inputs than the context length, fewer than latents, or coordinates that do not fit.
        """
        return self.logits(self.latents(tokens, lengths, coordinates, num_latents=num_latents, key=key))

    def latents(
        self,
        tokens: Int[Array, "batch inputs"],
        lengths: Int[Array, " batch"] | None = None,
        coordinates: Int[Array, "batch inputs axes"] | None = None,
        *,
        num_latents: int | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "batch latents width"]:
        """The latents after the last block, which `logits` maps to logits; arguments and errors as for a call."""
        length = tokens.shape[1]
        count = self.config.num_latents if num_latents is None else num_latents
        self._check(length, count, coordinates)
        keys = [None] * 3 if key is None else list(jax.random.split(key, 3))
        ragged = lengths is not None
        if lengths is None:
            lengths = jnp.full(len(tokens), length)
        inputs = Inputs(tokens, make_position_ids(lengths, length, self.config.numbering), coordinates)
        input_indices = latent_indices(lengths, count)
        gathered = inputs.gather(input_indices)
        latent_inputs = LatentInputs(self.embed_inputs(*gathered), gathered.position_ids, input_indices)
        z = self.latent_in(latent_inputs.x)
        mixed = self._attend_inputs(z, inputs, lengths, latent_inputs, ragged, keys[0])
        z = self.cross.add(z, mixed, keys[1])
        return self._self_attend(z, latent_inputs, ragged, keys[2])

    def embed_inputs(
        self,
        tokens: Int[Array, "batch inputs"],
        position_ids: Int[Array, "batch inputs"],
        coordinates: Int[Array, "batch inputs axes"] | None = None,
    ) -> Float[Array, "batch inputs input_width"]:
        """X: token embeddings, plus absolute position embeddings if the model has them."""
        x = self.embed(tokens)
        if not self.config.uses_absolute_positions:
            return x
        if coordinates is None:
            coordinates = position_ids[..., None]
        if self.config.position_tables == "learned":
            return x + sum(table(coordinates[..., axis]) for axis, table in enumerate(self.tables))
        if self.config.position_tables == "fourier":
            sizes = self.config.axis_sizes
            return x + sum(fourier_features(coordinates[..., a], size, x.shape[-1]) for a, size in enumerate(sizes))
        return x + sinusoids(coordinates, x.shape[-1]).sum(axis=-2)

    def logits(self, z: Float[Array, "batch latents width"]) -> Float[Array, "batch latents vocab"]:
        """Logits of the next token, in float32."""
        z = self.norm(z)
        return (self.embed.logits(z) if self.head is None else self.head(z)).astype(jnp.float32)

    def cross_attend(
        self,
        q: Float[Array, "batch latents heads channels"],
        inputs: "Inputs",
        input_indices: Int[Array, "batch latents"],
        key_index: Int[Array, "batch inputs"] | None = None,
        dropped: Bool[Array, "batch inputs"] | None = None,
    ) -> PartialAttention:
        """Cross-attention of the latents to the inputs, the only layer with all M inputs.

        With `remat`, embedded inputs, keys and values are in memory for one slice at a time, in the backward pass too.

        Args:
            q: queries.
            inputs: tokens, positions and coordinates.
            input_indices: the input at which each latent stands.
            key_index: index of each input; None: all inputs are valid and the last N are those of the latents.
            dropped: inputs that only the latent at the same index attends to.
        """
        chunk = self.config.chunk
        if key_index is not None:

            def indexed(inputs: Inputs, key_index: Array, dropped: Array | None) -> PartialAttention:
                return attend_by_index(q, *self.keys_values(inputs), input_indices, key_index, dropped, chunk=chunk)

            return merge(*self._attend_slices(indexed, inputs, key_index, dropped))
        start = inputs.tokens.shape[1] - q.shape[1]
        prefix, end = (
            jax.tree.map(select, inputs) for select in (lambda array: array[:, :start], lambda array: array[:, start:])
        )
        latent_part = attend(q, *self.keys_values(end), causal=True, chunk=chunk)
        return merge(
            latent_part,
            *self._attend_slices(lambda inputs: attend(q, *self.keys_values(inputs), chunk=chunk), prefix),
        )

    def keys_values(
        self, inputs: "Inputs"
    ) -> tuple[Float[Array, "batch inputs heads channels"], Float[Array, "batch inputs heads channels"]]:
        """Keys and values of inputs in the cross-attention."""
        return self.cross.keys_values(self.embed_inputs(*inputs), inputs.position_ids)

    def _attend_slices(self, attend_slice: Callable[..., PartialAttention], *operands: Any) -> list[PartialAttention]:
        """Attention to slices of the inputs, [B, M, ...], of a block length each; without `remat` to all at once."""
        total = jax.tree.leaves(operands)[0].shape[1]
        size = self.config.chunk
        if not total:
            return []
        if not self.config.remat or total <= size:
            return [attend_slice(*operands)]
        attend_slice, full = jax.checkpoint(attend_slice), total // size * size

        def add(found: PartialAttention, part: Any) -> tuple[PartialAttention, None]:
            return merge(found, attend_slice(*part)), None

        slices = jax.tree.map(lambda array: rearrange(array[:, :full], "b (s t) ... -> s b t ...", t=size), operands)
        shape = jax.eval_shape(attend_slice, *jax.tree.map(lambda array: array[0], slices))
        nothing = PartialAttention(jnp.zeros(shape.values.shape), jnp.full(shape.log_sum.shape, NEG_INF))
        found = jax.lax.scan(add, nothing, slices)[0]
        return (
            [found, attend_slice(*jax.tree.map(lambda array: array[:, full:], operands))] if full < total else [found]
        )

    def _check(self, length: int, count: int, coordinates: Array | None) -> None:
        config = self.config
        if length > config.context_length:
            raise UsageError(
                f"sequences have {length} tokens, expected at most context_length, {config.context_length}"
            )
        if not 1 <= count <= length:
            raise UsageError(
                f"num_latents is {count} for sequences of {length} tokens, expected 1 to {length}; "
                "pass num_latents, or pad the sequences and pass lengths"
            )
        if coordinates is None:
            if config.needs_coordinates:
                raise UsageError(f"the model has {len(config.axis_sizes)} axes of positions; pass coordinates")
        elif not config.uses_absolute_positions:
            raise UsageError("coordinates were passed to a model whose positions are rotary only; leave them out")
        elif coordinates.shape[-1] != len(config.axis_sizes):
            raise UsageError(f"coordinates have {coordinates.shape[-1]} axes, expected {len(config.axis_sizes)}")

    def _attend_inputs(
        self,
        z: Array,
        inputs: "Inputs",
        lengths: Array,
        latent_inputs: "LatentInputs",
        ragged: bool,
        key: PRNGKeyArray | None,
    ) -> Array:
        """Cross-attention with prefix dropout in training (paper, cross-attend dropout)."""
        config = self.config
        q = self.cross.queries(z, latent_inputs.position_ids)
        rate = 0.0 if key is None else config.prefix_dropout
        total = inputs.tokens.shape[1]
        if key is not None and rate and config.prefix_dropout_kind == "fixed":
            return self._attend_fixed_subset(q, inputs, lengths, latent_inputs, key)
        if key is not None and rate and config.prefix_dropout_kind == "exact":
            # The kept inputs are gathered before anything is computed from them, so dropped ones cost nothing.
            prefix = jnp.maximum(lengths - z.shape[1], 0)
            input_indices, counted = kept_inputs(key, prefix, total - z.shape[1], rate)
            inputs = inputs.gather(jnp.concatenate([input_indices, latent_inputs.input_indices], axis=1))
            key_index = jnp.concatenate(
                [jnp.where(counted, input_indices, MASKED_KEY), latent_inputs.key_index], axis=1
            )
            dropped = None
        else:
            all_indices = jnp.broadcast_to(jnp.arange(total), inputs.tokens.shape)
            key_index = jnp.where(all_indices < lengths[:, None], all_indices, MASKED_KEY)
            dropped = None
            if key is not None and rate:
                dropped = jax.random.bernoulli(key, rate, inputs.tokens.shape)
        if not ragged and dropped is None:
            return self.cross_attend(q, inputs, latent_inputs.input_indices).values.astype(q.dtype)
        return self.cross_attend(q, inputs, latent_inputs.input_indices, key_index, dropped).values.astype(q.dtype)

    def _attend_fixed_subset(
        self, q: Array, inputs: "Inputs", lengths: Array, latent_inputs: "LatentInputs", key: PRNGKeyArray
    ) -> Array:
        """Cross-attention to a fixed number of all inputs, and to each latent's own input if it was dropped."""
        input_indices, counted = kept_inputs(key, lengths, inputs.tokens.shape[1], self.config.prefix_dropout)
        key_index = jnp.where(counted, input_indices, MASKED_KEY)
        found = self.cross_attend(q, inputs.gather(input_indices), latent_inputs.input_indices, key_index)
        rows = jnp.arange(len(input_indices))[:, None]
        is_kept = jnp.zeros(inputs.tokens.shape, bool).at[rows, input_indices].max(counted)
        missing = (latent_inputs.input_indices >= 0) & ~take(is_kept, latent_inputs.input_indices)
        own_k, own_v = self.cross.keys_values(latent_inputs.x, latent_inputs.position_ids)
        score = jnp.einsum("bnhd,bnhd->bnh", q, own_k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
        diagonal = PartialAttention(own_v.astype(jnp.float32), jnp.where(missing[..., None], score, NEG_INF))
        return merge(found, diagonal).values.astype(q.dtype)

    def _self_attend(self, z: Array, latent_inputs: "LatentInputs", ragged: bool, key: PRNGKeyArray | None) -> Array:
        """The self-attention blocks, as a scan with one compiled body."""
        config = self.config
        if config.depth == 0:
            return z
        graph, states = nnx.split(self.blocks)

        def layer(z: Array, layer_state: tuple[Any, PRNGKeyArray | None]) -> tuple[Array, None]:
            block = nnx.merge(graph, layer_state[0])
            q = block.queries(z, latent_inputs.position_ids)
            k, v = block.keys_values(z, latent_inputs.position_ids)
            if ragged:
                found = attend_by_index(
                    q, k, v, latent_inputs.input_indices, latent_inputs.key_index, chunk=config.chunk
                )
            else:
                found = attend(q, k, v, causal=True, chunk=config.chunk)
            return block.add(z, found.values.astype(q.dtype), layer_state[1]), None

        keys = None if key is None else jax.random.split(key, config.depth)
        body = jax.checkpoint(layer) if config.remat else layer
        return jax.lax.scan(body, z, (states, keys))[0]

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "PerceiverAR":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), ModelConfig, cls)[0]


class Inputs(NamedTuple):
    """Inputs before they are embedded: ids, positions and coordinates."""

    tokens: Int[Array, "batch inputs"]
    position_ids: Int[Array, "batch inputs"]
    coordinates: Int[Array, "batch inputs axes"] | None

    def gather(self, input_indices: Int[Array, "batch chosen"]) -> "Inputs":
        """The inputs at these indices."""
        return jax.tree.map(lambda array: take(array, input_indices), self)


class LatentInputs(NamedTuple):
    """The embedded inputs at which the latents stand."""

    x: Float[Array, "batch latents input_width"]
    position_ids: Int[Array, "batch latents"]
    input_indices: Int[Array, "batch latents"]

    @property
    def key_index(self) -> Int[Array, "batch latents"]:
        """Indices as keys: latents before the start are masked."""
        return jnp.where(self.input_indices < 0, MASKED_KEY, self.input_indices)


def take(array: Any, input_indices: Int[Array, "batch chosen"]) -> Any:
    """`array[b, input_indices[b]]` for each example; index -1 gives the first entry, which callers mask."""
    return jax.vmap(lambda row, chosen: row[chosen])(array, jnp.maximum(input_indices, 0))
