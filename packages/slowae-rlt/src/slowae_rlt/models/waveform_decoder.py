r"""The autoregressive decoder: probabilities of each mu-law code from the codes before it and from the levels.

$p(y \mid q) = \prod_n p(y_n \mid y_{<n}, c_{\lfloor n / s \rfloor}(q))$ with s samples of a grid step. A residual stack
on the grid makes the conditions c, and causal gated convolutions (van den Oord et al., 2016) read the codes. Before a
recording there is silence. Sampling keeps the inputs of each convolution in a ring buffer, so that a sample costs each
layer once.

Axes: B recordings, T grid steps, N samples, L layers.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError
from onepaper.jax.linear import Linear

from slowae_rlt.config import ModelConfig
from slowae_rlt.data.mu_law import CODES, TABLE
from slowae_rlt.models.convolutions import ResidualStack

# The symbol of silence, code 0.
SILENCE = CODES // 2

# Grid steps that are drawn in one call of the compiled program.
WINDOW_STEPS = 256


class GatedLayer(nnx.Module):
    """A causal convolution of two taps with a gate, which adds to its input and to the sum for the prediction."""

    def __init__(self, width: int, skip: int, dilation: int, rngs: nnx.Rngs) -> None:
        self.dilation = dilation
        self.taps = Linear(2 * width, 2 * width, use_bias=False, rngs=rngs)
        self.out = Linear(width, width + skip, rngs=rngs)

    def __call__(
        self, earlier: Float[Array, "*N width"], x: Float[Array, "*N width"], condition: Float[Array, "*N two_width"]
    ) -> tuple[Float[Array, "*N width"], Float[Array, "*N skip"]]:
        """The layer's output and its part of the sum.

        Args:
            earlier: the input `dilation` samples before.
            x: the input.
            condition: added to gate and value.
        """
        gate, value = jnp.split(self.taps(jnp.concatenate([earlier, x], axis=-1)) + condition, 2, axis=-1)
        both = self.out(jax.nn.sigmoid(gate) * jnp.tanh(value))
        width = x.shape[-1]
        return x + both[..., :width], both[..., width:]


class Memory(NamedTuple):
    """What the next sample needs of those before it.

    Attributes:
        inputs: of each layer, its last `dilation` inputs, as a ring.
        symbol: the last code + 128.
        position: number of samples before.
    """

    inputs: tuple[Float[Array, "dilation B width"], ...]
    symbol: Int[Array, " B"]
    position: Int[Array, ""]


class WaveformDecoder(nnx.Module):
    """Levels to probabilities of mu-law codes.

    Args:
        config: of the autoencoder.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        decoder, waveform = config.decoder, config.decoder.waveform
        self.stride, self.history = config.encoder.stride, waveform.history
        self.project = Linear(config.quantizer.channels, decoder.width, rngs=rngs)
        self.stack = ResidualStack(decoder.width, decoder.dilations, rngs)
        self.norm = nnx.RMSNorm(decoder.width, rngs=rngs)
        self.condition = Linear(decoder.width, 2 * waveform.width * len(waveform.dilations), rngs=rngs)
        self.embed = nnx.Embed(CODES, waveform.width, rngs=rngs)
        self.layers = nnx.List(
            [GatedLayer(waveform.width, waveform.skip, dilation, rngs) for dilation in waveform.dilations]
        )
        self.hidden = Linear(waveform.skip, waveform.skip, rngs=rngs)
        self.head = Linear(waveform.skip, CODES, kernel_init=nnx.initializers.zeros, rngs=rngs)

    @property
    def warm_up(self) -> int:
        """Grid steps before the first sample, whose conditions it depends on."""
        return -(-self.history // self.stride)

    @property
    def context(self) -> int:
        """Grid steps that are needed before the first and after the last one of a crop."""
        return self.stack.context + self.warm_up

    def conditions(self, levels: Float[Array, "B T C"]) -> Float[Array, "B shorter L two_width"]:
        """Conditions of each layer on the grid, shorter by the context of the stack on both sides."""
        states = self.condition(self.norm(self.stack(self.project(levels))))
        return rearrange(states, "b t (l w) -> b t l w", l=len(self.layers))

    def predict(self, skips: Float[Array, "*N skip"]) -> Float[Array, "*N 256"]:
        """Logits of codes from the sum of all layers, in float32."""
        return self.head(jax.nn.gelu(self.hidden(jax.nn.gelu(skips)))).astype(jnp.float32)

    def logits(
        self, symbols: Int[Array, "B known"], conditions: Float[Array, "B T L two_width"]
    ) -> Float[Array, "B N 256"]:
        """Logits of N codes, all at once.

        Args:
            symbols: codes + 128 from `history` samples before the first predicted code to the last but one.
            conditions: of all grid steps from `warm_up` steps before the first predicted code on.
        """
        x, skips = self.embed(symbols), jnp.zeros(())
        start = self.warm_up * self.stride - self.history + 1  # of x, in samples of the conditions
        count = symbols.shape[1] - self.history + 1
        for number, layer in enumerate(self.layers):
            start += layer.dilation
            condition = jnp.repeat(conditions[:, :, number], self.stride, axis=1)
            length = x.shape[1] - layer.dilation
            x, skip = layer(x[:, :length], x[:, layer.dilation :], condition[:, start : start + length])
            skips = skips + skip[:, length - count :]
        return self.predict(skips)

    def nats(self, levels: Float[Array, "B T C"], symbols: Int[Array, "B known"]) -> Float[Array, "B N"]:
        r"""$-\ln p(y_n \mid y_{<n}, q)$ of a crop.

        Args:
            levels: q / k of the crop with `context` steps on both sides.
            symbols: codes + 128 of the crop and of `history` samples before it.
        """
        logits = self.logits(symbols[:, :-1], self.conditions(levels))
        log_probs = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(log_probs, symbols[:, self.history :, None], axis=-1)[..., 0]

    def empty_memory(self, batch: int) -> Memory:
        """Before the first sample of a recording; it is complete after `warm_up` grid steps of silence."""
        width = self.embed.features
        inputs = tuple(jnp.zeros((layer.dilation, batch, width)) for layer in self.layers)
        return Memory(inputs, jnp.full(batch, SILENCE, jnp.int32), jnp.int32(0))

    def step(self, memory: Memory, condition: Float[Array, "L B two_width"]) -> tuple[Float[Array, "B 256"], Memory]:
        """Logits of the next code, and the memory without that code.

        Args:
            memory: of the samples before.
            condition: of the sample's grid step.
        """
        x, skips, kept = self.embed(memory.symbol), jnp.zeros(()), []
        for number, (layer, ring) in enumerate(zip(self.layers, memory.inputs, strict=True)):
            place = memory.position % layer.dilation
            earlier = jax.lax.dynamic_index_in_dim(ring, place, keepdims=False)
            kept.append(jax.lax.dynamic_update_index_in_dim(ring, x, place, 0))
            x, skip = layer(earlier, x, condition[number])
            skips = skips + skip
        return self.predict(skips), Memory(tuple(kept), memory.symbol, memory.position + 1)


@functools.partial(jax.jit, static_argnums=0)
def _conditions(graph: Any, state: Any, levels: Float[Array, "B T C"]) -> Float[Array, "T L B two_width"]:
    return rearrange(nnx.merge(graph, state).conditions(levels), "b t l w -> t l b w")


@functools.partial(jax.jit, static_argnums=0)
def draw_samples(
    graph: Any, state: Any, memory: Memory, conditions: Float[Array, "T L B two_width"], key: PRNGKeyArray, silent: Any
) -> tuple[Memory, Int[Array, "T s B"], Any]:
    """Codes + 128 of T grid steps in one compiled scan, and whether all logits are finite.

    A code is the largest of logits plus Gumbel noise. While `silent`, it is silence instead.
    """
    model = nnx.merge(graph, state)
    shape = (conditions.shape[0], model.stride, memory.symbol.shape[0], CODES)

    def sample(memory: Memory, noise: Array, condition: Array) -> tuple[Memory, tuple[Array, Array]]:
        logits, memory = model.step(memory, condition)
        drawn = jnp.argmax(logits + noise, axis=-1).astype(jnp.int32)
        drawn = jnp.where(silent, SILENCE, drawn)
        return memory._replace(symbol=drawn), (drawn, jnp.isfinite(logits).all())

    def grid_step(memory: Memory, inputs: tuple[Array, Array]) -> tuple[Memory, tuple[Array, Array]]:
        condition, noise = inputs
        return jax.lax.scan(lambda carry, own: sample(carry, own, condition), memory, noise)

    memory, (drawn, finite) = jax.lax.scan(grid_step, memory, (conditions, jax.random.gumbel(key, shape)))
    return memory, drawn, finite.all()


def sample_waveform(
    decoder: WaveformDecoder, levels: Float[np.ndarray, "T C"], *, seed: int = 0
) -> Float[np.ndarray, " samples"]:
    """Sound of levels: codes drawn one after the other, T times `stride` samples as float32.

    Args:
        decoder: the network.
        levels: q / k; before and after them the first and the last go on.
        seed: of the draws.

    Raises:
        UsageError: logits that are not finite.
    """
    graph, state = nnx.split(decoder)
    context, warm_up, steps = decoder.stack.context, decoder.warm_up, len(levels)
    windows = -(-steps // WINDOW_STEPS)
    after = context + windows * WINDOW_STEPS - steps
    padded = np.pad(levels, ((context + warm_up, after), (0, 0)), mode="edge").astype(np.float32)[None]
    key, memory, found = jax.random.key(seed), decoder.empty_memory(1), []
    conditions = _conditions(graph, state, padded[:, : warm_up + 2 * context])
    memory, _, _ = draw_samples(graph, state, memory, conditions, key, np.True_)
    for start in range(0, windows * WINDOW_STEPS, WINDOW_STEPS):
        part = padded[:, warm_up + start : warm_up + start + WINDOW_STEPS + 2 * context]
        own = jax.random.fold_in(key, start + 1)
        memory, drawn, finite = draw_samples(graph, state, memory, _conditions(graph, state, part), own, np.False_)
        if not finite:
            raise UsageError("the decoder's logits are not finite; use weights of another training")
        found.append(np.asarray(drawn)[..., 0].ravel())
    return TABLE[np.concatenate(found)[: steps * decoder.stride]].astype(np.float32)
