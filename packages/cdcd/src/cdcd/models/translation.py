"""The translation model: an encoder, and a bidirectional decoder that classifies a noisy target (paper, section 4.4).

Axes: B batch, S source, L target, d embedding, h width, V vocabulary.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int
from onepaper.jax.linear import Linear
from onepaper.jax.state_files import load_pretrained, save_pretrained

from cdcd.config import TranslationConfig
from cdcd.data.sentences import PADDING
from cdcd.diffusion.embeddings import normalize, scale_input
from cdcd.diffusion.samplers import Denoiser
from cdcd.models.attention import scan_blocks
from cdcd.models.denoiser import FREQUENCY_SCALE, ConditionalNorm, Fixed, LearnedWarp, TimeFeatures, loss_curve
from cdcd.models.encoder_decoder import DecoderBlock, Encoder, Memory
from cdcd.models.vocabulary import compute_logits, cross_entropy, predict_embedding


class LengthFeatures(nnx.Module):
    """Random Fourier features of the source length and an MLP of two layers, as of the noise level."""

    def __init__(self, config: TranslationConfig, rngs: nnx.Rngs) -> None:
        width = config.time_width
        self.longest = config.source_length
        self.frequencies = Fixed(FREQUENCY_SCALE * jax.random.normal(rngs.params(), (width // 2,)))
        self.first = Linear(width, width, rngs=rngs)
        self.second = Linear(width, width, rngs=rngs)

    def __call__(self, length: Int[Array, " batch"]) -> Float[Array, "batch time"]:
        """Features of lengths in tokens."""
        position = 2 * length / self.longest - 1
        angles = np.pi * position[:, None] * self.frequencies[...]
        features = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        return jax.nn.gelu(self.second(jax.nn.gelu(self.first(features))))


class TranslationDiffusion(nnx.Module):
    """The network with its embeddings, which both languages share, and its time warping.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: TranslationConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, heads, ratio = config.width, config.heads, config.mlp_ratio
        self.embed = nnx.Param(
            config.embed_scale * jax.random.normal(rngs.params(), (config.vocab_size, config.embed_dim))
        )
        self.warp = LearnedWarp(config.warp, loss_curve(config) if config.warp.initial == "analytic" else None)
        self.time = TimeFeatures(config, rngs)
        self.source_size = LengthFeatures(config, rngs)
        self.encoder = Encoder(config.embed_dim, width, config.encoder_depth, heads, ratio, rngs, remat=config.remat)
        # The noisy embedding and the previous prediction; the whole target is noisy, so that there is no mask.
        self.embed_inputs = Linear(2 * config.embed_dim, width, rngs=rngs)
        self.positions = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.length, width)))

        def make_norm(rngs: nnx.Rngs) -> nnx.Module:
            return ConditionalNorm(config, rngs)

        stacked = nnx.vmap(lambda key: DecoderBlock(width, heads, ratio, make_norm, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = ConditionalNorm(config, rngs)
        self.head = Linear(width, config.vocab_size, rngs=rngs)

    def embeddings(self) -> Float[Array, "vocab embed"]:
        """The normalised embeddings, to which noise is added."""
        return normalize(self.embed[...])

    def encode(self, source: Int[Array, "batch source"], shown: Bool[Array, " batch"] | Array | float = 1.0) -> Memory:
        """The memory of sources, zero where the source is hidden from the decoder.

        Args:
            source: tokens; padding is not seen.
            shown: 1 for sources that are shown, 0 for hidden ones; for all or for each.
        """
        present = source != PADDING
        memory = self.encoder(self.embeddings()[source], present)
        factor = jnp.broadcast_to(jnp.asarray(shown, memory.states.dtype), (len(source),))
        return memory._replace(states=memory.states * factor[:, None, None])

    def hidden(
        self,
        x: Float[Array, "batch length embed"],
        t: Float[Array, " batch"],
        memory: Memory,
        prediction: Float[Array, "batch length embed"],
    ) -> Float[Array, "batch length width"]:
        """States before the last layer.

        Args:
            x: noisy embeddings of the target.
            t: noise level of each target.
            memory: of the sources; their lengths condition the normalisations also where they are hidden.
            prediction: the previous prediction, or zeros.
        """
        tau = self.time(t)
        if self.config.length_conditioning:
            tau = tau + self.source_size(memory.present.sum(axis=1))
        inputs = jnp.concatenate([scale_input(x, t), prediction], axis=-1)
        states = self.embed_inputs(inputs).astype(x.dtype) + self.positions[...]
        states = scan_blocks(self.blocks, states, lambda block, x: block(x, memory, None, tau), remat=self.config.remat)
        return self.norm(states, tau).astype(self.head.dtype or x.dtype)

    def logits(self, hidden: Float[Array, "*batch width"]) -> Float[Array, "*batch vocab"]:
        """Logits of the tokens, in float32."""
        return compute_logits(hidden, *self._head())

    def nats(self, hidden: Float[Array, "*batch width"], tokens: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Cross-entropy of the tokens."""
        return cross_entropy(hidden, *self._head(), tokens, self.config.logits_chunk)

    def predict(
        self, hidden: Float[Array, "*batch width"], embeddings: Float[Array, "vocab embed"]
    ) -> Float[Array, "*batch embed"]:
        """The expected embedding."""
        return predict_embedding(hidden, *self._head(), embeddings, self.config.logits_chunk)

    def _head(self) -> tuple[Array, Array]:
        bias = self.head.bias
        assert bias is not None
        return self.head.kernel[...], bias[...]

    def denoiser(self, source: Int[Array, "batch source"]) -> Denoiser:
        """The network as a denoiser of translations of these sources."""
        memory = self.encode(source)

        def denoise(x: Array, t: Array, prediction: Array, conditional: Array) -> Array:
            shown = memory._replace(states=conditional * memory.states)
            return self.logits(self.hidden(x, jnp.broadcast_to(t, len(x)), shown, prediction))

        return denoise

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "TranslationDiffusion":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), TranslationConfig, cls)[0]
