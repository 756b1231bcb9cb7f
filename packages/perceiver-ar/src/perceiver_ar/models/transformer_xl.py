r"""Transformer-XL (Dai et al., 2019), the paper's recurrent baseline, with the MLP and norms of this package.

A document is processed in segments of S tokens. Each layer attends to the current segment and to its inputs for the P
tokens before, which are kept in a memory without gradient. Positions are relative: with the query $q_i$, the key $k_j$
and the sinusoids $R_{i-j}$ of their distance,
$s_{ij} = \left((q_i + u) \cdot k_j + (q_i + v) \cdot W_r R_{i-j}\right) / \sqrt d$.

Axes: B batch, S segment, P memory, L layers, D width, H heads, V vocabulary.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError
from onepaper.jax.linear import Linear
from onepaper.jax.state_files import flatten, load_pretrained, save_pretrained

from perceiver_ar.config import PAD, TransformerXLConfig
from perceiver_ar.models.losses import Loss, token_nats
from perceiver_ar.models.perceiver_ar import NORM_EPSILON, dropout
from perceiver_ar.models.positions import sinusoids


class Memory(NamedTuple):
    """States of the tokens before a segment, for all layers."""

    states: Float[Array, "layers batch memory width"]
    """inputs of each layer, in order of time"""
    present: Int[Array, ""]
    """number of valid states, which are the last ones"""


class MemoryVariable(nnx.Variable):
    """Memory that is kept from one training step to the next."""


def relative_shift(x: Float[Array, "batch heads segment reach"]) -> Float[Array, "batch heads segment reach"]:
    """Relative shift: scores by distance, the largest first, become scores by key; row i shifts left by S - 1 - i.

    Entries that shift in from the right belong to later keys, which are masked.
    """
    rows, columns = x.shape[-2:]
    padded = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0)))
    return padded.reshape(*x.shape[:2], columns + 1, rows)[:, :, 1:].reshape(x.shape)


class Layer(nnx.Module):
    """Pre-norm attention over memory and segment, and an MLP."""

    def __init__(self, config: TransformerXLConfig, rngs: nnx.Rngs) -> None:
        width, hidden, heads = config.width, config.mlp_ratio * config.width, config.heads
        self.config = config
        self.norm = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.query = Linear(width, width, rngs=rngs)
        self.key = Linear(width, width, rngs=rngs)
        self.value = Linear(width, width, rngs=rngs)
        self.distance = Linear(width, width, use_bias=False, rngs=rngs)
        self.content_bias = nnx.Param(jnp.zeros((heads, width // heads)))
        self.distance_bias = nnx.Param(jnp.zeros((heads, width // heads)))
        self.out = Linear(width, width, rngs=rngs)
        self.norm_hidden = nnx.LayerNorm(width, epsilon=NORM_EPSILON, rngs=rngs)
        self.hidden = Linear(width, hidden, rngs=rngs)
        self.down = Linear(hidden, width, rngs=rngs)

    def __call__(
        self,
        z: Float[Array, "batch segment width"],
        memory: Float[Array, "batch memory width"],
        seen: Bool[Array, "segment reach"],
        key: PRNGKeyArray | None,
    ) -> Float[Array, "batch segment width"]:
        """The segment after this layer; `seen` is the attention mask over memory and segment."""
        keys = (None, None) if key is None else jax.random.split(key)
        x = self.norm(jnp.concatenate([jax.lax.stop_gradient(memory), z], axis=1))
        reach = x.shape[1]
        q, k, v = self._heads(self.query(x[:, -z.shape[1] :])), self._heads(self.key(x)), self._heads(self.value(x))
        r = self._heads(self.distance(sinusoids(jnp.arange(reach)[::-1], z.shape[-1]))[None])[0]
        content = jnp.einsum("bshd,bthd->bhst", q + self.content_bias[...], k)
        distance = relative_shift(jnp.einsum("bshd,thd->bhst", q + self.distance_bias[...], r))
        scores = (content + distance) * q.shape[-1] ** -0.5
        weights = jax.nn.softmax(jnp.where(seen, scores.astype(jnp.float32), -jnp.inf), axis=-1).astype(v.dtype)
        mixed = rearrange(jnp.einsum("bhst,bthd->bshd", weights, v), "b s h d -> b s (h d)")
        rate = self.config.dropout
        z = z + dropout(self.out(mixed), rate, keys[0])
        return z + dropout(self.down(jnp.square(jax.nn.relu(self.hidden(self.norm_hidden(z))))), rate, keys[1])

    def _heads(self, x: Array) -> Array:
        return rearrange(x, "b t (h d) -> b t h d", h=self.config.heads)


class TransformerXL(nnx.Module):
    """Logits of the next token at every token of a segment, and the memory for the next segment.

    Args:
        config: the architecture.
        stateful_rows: rows of a batch whose memory the model keeps from one training step to the next; 0: none.
    """

    def __init__(self, config: TransformerXLConfig, rngs: nnx.Rngs, *, stateful_rows: int = 0) -> None:
        self.config = config
        initial = nnx.initializers.truncated_normal(1.0)
        self.embed = nnx.Embed(config.vocab_size, config.width, embedding_init=initial, rngs=rngs)
        stacked = nnx.vmap(lambda key: Layer(config, nnx.Rngs(key)))
        self.layers = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, rngs=rngs)
        self.head = Linear(config.width, config.vocab_size, kernel_init=nnx.initializers.zeros, rngs=rngs)
        start = self.empty_memory(stateful_rows)
        self.states = MemoryVariable(start.states) if stateful_rows else None
        self.present = MemoryVariable(start.present) if stateful_rows else None

    def empty_memory(self, batch: int, length: int | None = None) -> Memory:
        """An empty memory of `length` tokens; None: as in training."""
        config = self.config
        length = config.memory if length is None else length
        return Memory(jnp.zeros((config.depth, batch, length, config.width)), jnp.int32(0))

    def __call__(
        self,
        tokens: Int[Array, "batch segment"],
        memory: Memory | None = None,
        *,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "batch segment vocab"], Memory]:
        """Logits in float32, and the memory after this segment.

        Args:
            tokens: a segment of each sequence, of any length.
            memory: of earlier segments; None: empty.
            key: of dropout, in training.
        """
        config = self.config
        memory = self.empty_memory(len(tokens)) if memory is None else memory
        segment, length = tokens.shape[1], memory.states.shape[2]
        input_indices = jnp.arange(length + segment)
        seen = (input_indices <= length + jnp.arange(segment)[:, None]) & (input_indices >= length - memory.present)
        graph, states = nnx.split(self.layers)

        def layer(z: Array, layer_state: Any) -> tuple[Array, Array]:
            state, layer_memory, key = layer_state
            after = jnp.concatenate([layer_memory, z], axis=1)[:, -length:] if length else layer_memory
            return nnx.merge(graph, state)(z, layer_memory, seen, key), after

        keys = None if key is None else jax.random.split(key, config.depth)
        body = jax.checkpoint(layer) if config.remat else layer
        z, after = jax.lax.scan(body, self.embed(tokens), (states, memory.states, keys))
        present = jnp.minimum(memory.present + segment, length).astype(jnp.int32)
        return self.head(self.norm(z)).astype(jnp.float32), Memory(jax.lax.stop_gradient(after), present)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`, without the memory."""
        params = flatten(nnx.state(self, nnx.Param))
        return save_pretrained(Path(folder), {n.removesuffix("/value"): a for n, a in params.items()}, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "TransformerXL":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), TransformerXLConfig, cls)[0]


def segment_loss(
    model: TransformerXL,
    tokens: Int[Array, "batch segment"],
    targets: Int[Array, "batch segment"],
    memory: Memory | None = None,
    *,
    key: PRNGKeyArray | None = None,
) -> tuple[Loss, Memory]:
    """Loss at every token of a segment without targets that are PAD, and the memory after it."""
    logits, after = model(tokens, memory, key=key)
    nats, log_z = token_nats(logits, targets)
    counted = targets != PAD
    sums = (jnp.where(counted, values, 0.0).sum() for values in (nats, jnp.square(log_z), jnp.ones_like(nats)))
    return Loss(*sums), after


def stateful_loss(
    z_loss: float = 1e-4,
) -> Callable[[TransformerXL, Mapping[str, Array], PRNGKeyArray], tuple[Array, Array, dict]]:
    """A loss for `JaxTask` on consecutive segments, with the memory as a variable of the model.

    Batches come from `stream_batches`: `inputs`, `targets`, and `fresh`, true for the first segment of a text. Gradient
    accumulation is not supported.
    """

    def loss(model: TransformerXL, batch: Mapping[str, Array], key: PRNGKeyArray) -> tuple[Array, Array, dict]:
        if model.states is None or model.present is None:
            raise UsageError(
                "the model keeps no memory; construct it with stateful_rows, the number of rows of a batch"
            )
        # All rows restart at the same step, because they are equal parts of one text.
        before = Memory(model.states[...], jnp.where(batch["fresh"].any(), 0, model.present[...]))
        found, after = segment_loss(model, batch["inputs"], batch["targets"], before, key=key)
        model.states[...], model.present[...] = after
        return found.total(z_loss), found.targets, {"nats": found.nats}

    return loss


def stream_batches(
    tokens: Int[np.ndarray, " length"], batch_size: int, segment: int
) -> Callable[[int], dict[str, np.ndarray]]:
    """Consecutive segments of a text that is split into `batch_size` rows, as a cyclic function of the step.

    Raises:
        UsageError: a text with less than one segment for each row.
    """
    per_row = (len(tokens) - 1) // (batch_size * segment) * segment
    if not per_row:
        raise UsageError(
            f"the text has {len(tokens)} tokens, expected more than {batch_size * segment}: a segment of {segment} and "
            f"a target for each of {batch_size} rows"
        )
    starts = np.arange(batch_size)[:, None] * per_row + np.arange(segment)

    def batch(step: int) -> dict[str, np.ndarray]:
        number = step % (per_row // segment)
        input_indices = starts + number * segment
        fresh = np.full(batch_size, number == 0)
        return {"inputs": tokens[input_indices], "targets": tokens[input_indices + 1], "fresh": fresh}

    return batch


def score_stream(
    model: TransformerXL, document: Int[np.ndarray, " length"], *, memory: int | None = None, segment: int | None = None
) -> Float[np.ndarray, " targets"]:
    r"""$-\ln p(e_t | e_{<t})$ of every target of a document that begins with SOS, each counted once.

    Args:
        model: the network.
        document: ids.
        memory: tokens whose states are kept; None: as in training. Evaluations usually use more.
        segment: tokens of a segment; None: as in training.

    Raises:
        UsageError: a document without a target.
    """
    if len(document) < 2:
        raise UsageError(f"the document has {len(document)} tokens, expected SOS and at least one more")
    segment = model.config.segment if segment is None else segment
    graph, params = nnx.split(model)

    @jax.jit
    def nats(params: Any, inputs: Array, targets: Array, state: Memory) -> tuple[Array, Memory]:
        logits, after = nnx.merge(graph, params)(inputs, state)
        return token_nats(logits, targets)[0][0], after

    count = len(document) - 1
    padded = np.full(-(-count // segment) * segment + 1, PAD, np.int32)
    padded[: len(document)] = document
    state, found = model.empty_memory(1, memory), []
    for start in range(0, count, segment):
        inputs, targets = padded[start : start + segment], padded[start + 1 : start + segment + 1]
        values, state = nats(params, inputs[None], targets[None], state)
        found.append(np.asarray(values))
    return np.concatenate(found)[:count]
