"""The denoiser: a bidirectional Transformer that classifies every position of a noisy sequence (paper, section 4).

Axes: B batch, L length, d embedding, h width, V vocabulary.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int
from onepaper.errors import UsageError
from onepaper.jax.linear import Linear
from onepaper.jax.state_files import load_pretrained, save_pretrained

from cdcd.config import ModelConfig, TranslationConfig, WarpConfig
from cdcd.diffusion.embeddings import normalize, scale_input
from cdcd.diffusion.noise_range import optimal_cross_entropy
from cdcd.diffusion.samplers import Denoiser
from cdcd.diffusion.score import postprocess
from cdcd.models.attention import MLP, NORM_EPSILON, Attention, scan_blocks
from cdcd.models.vocabulary import compute_logits, cross_entropy, predict_embedding
from cdcd.time_warping.fit import average
from cdcd.time_warping.warp import TimeWarp, WarpLogits, initial_logits, make_warp

# Standard deviation of the frequencies of the time features, on an axis where the noise levels go from -1 to 1. The
# paper does not give it.
FREQUENCY_SCALE = 4.0

# Points of the curve of an analytic time warping.
CURVE_POINTS = 64


class Fixed(nnx.Variable):
    """A constant that was drawn at initialisation."""


class MovingAverage(nnx.Variable):
    """An average that a training step updates without gradients."""


class LearnedWarp(nnx.Module):
    """The time warping and its moving average.

    Args:
        config: of the warping.
        curve: loss by noise level for an analytic start, see `initial_logits`.
    """

    def __init__(self, config: WarpConfig, curve: tuple[np.ndarray, np.ndarray] | None) -> None:
        self.config = config
        logits = initial_logits(config, curve)
        self.inputs, self.outputs = nnx.Param(logits.inputs), nnx.Param(logits.outputs)
        self.mean_inputs, self.mean_outputs = MovingAverage(logits.inputs), MovingAverage(logits.outputs)

    def logits(self) -> WarpLogits:
        """The trained parameters."""
        return WarpLogits(self.inputs[...], self.outputs[...])

    def averaged(self) -> TimeWarp:
        """The map of the averaged parameters, through which noise levels are drawn."""
        return make_warp(WarpLogits(self.mean_inputs[...], self.mean_outputs[...]), self.config)

    def update_average(self) -> None:
        """One step of the moving average."""
        old = WarpLogits(self.mean_inputs[...], self.mean_outputs[...])
        new = average(old, jax.lax.stop_gradient(self.logits()), self.config.ema_decay)
        self.mean_inputs[...], self.mean_outputs[...] = new.inputs, new.outputs


class TimeFeatures(nnx.Module):
    r"""$\tau(t)$: random Fourier features of ln t and an MLP of two layers (paper, section 6.1)."""

    def __init__(self, config: ModelConfig | TranslationConfig, rngs: nnx.Rngs) -> None:
        width = config.time_width
        low, high = np.log(config.warp.t_min), np.log(config.warp.t_max)
        self.middle, self.half_range = (low + high) / 2, (high - low) / 2
        self.frequencies = Fixed(FREQUENCY_SCALE * jax.random.normal(rngs.params(), (width // 2,)))
        self.first = Linear(width, width, rngs=rngs)
        self.second = Linear(width, width, rngs=rngs)

    def __call__(self, t: Float[Array, " batch"]) -> Float[Array, "batch time"]:
        """Features of noise levels."""
        position = (jnp.log(t) - self.middle) / self.half_range
        angles = np.pi * position[:, None] * self.frequencies[...]
        features = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        return jax.nn.gelu(self.second(jax.nn.gelu(self.first(features))))


class SineFeatures(nnx.Module):
    r"""$\tau(t)$ of Plaid: $\sin(f_i t)$ with $f_i$ from $e^{-6}$ to $e^6$, and an MLP of two layers, exact GELU.

    Its noise levels are those of embeddings with 256 channels (official code of Gulrajani and Hashimoto, 2023,
    `train_cdcd.py`), $16 / \sqrt d$ times those of ours.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        width = config.time_width
        self.frequencies = Fixed(16 / config.embed_dim**0.5 * jnp.exp(jnp.linspace(-6.0, 6.0, width)))
        self.first = Linear(width, width, rngs=rngs)
        self.second = Linear(width, width, rngs=rngs)

    def __call__(self, t: Float[Array, " batch"]) -> Float[Array, "batch time"]:
        """Features of noise levels."""
        features = jnp.sin(t[:, None] * self.frequencies[...])
        hidden = jax.nn.gelu(self.first(features), approximate=False)
        return jax.nn.gelu(self.second(hidden), approximate=False)


class ConditionalNorm(nnx.Module):
    r"""$\mathrm{LN}(x)\,(1 + a(\tau)) + b(\tau)$, which starts as a plain normalisation (paper, section 4.2)."""

    def __init__(self, config: ModelConfig | TranslationConfig, rngs: nnx.Rngs) -> None:
        zeros = nnx.initializers.zeros
        self.norm = nnx.LayerNorm(config.width, epsilon=NORM_EPSILON, use_scale=False, use_bias=False, rngs=rngs)
        self.modulate = Linear(config.time_width, 2 * config.width, kernel_init=zeros, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch length width"], tau: Float[Array, "batch time"]
    ) -> Float[Array, "batch length width"]:
        """The normalised states."""
        scale, shift = jnp.split(self.modulate(tau)[:, None].astype(x.dtype), 2, axis=-1)
        return self.norm(x) * (1 + scale) + shift


class Block(nnx.Module):
    """Attention and MLP, each after a conditional normalisation."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.norm_attention = ConditionalNorm(config, rngs)
        self.attention = Attention(config.width, config.heads, rngs, rotary=config.rotary)
        self.norm_mlp = ConditionalNorm(config, rngs)
        self.mlp = MLP(config.width, config.mlp_ratio * config.width, rngs)

    def __call__(
        self, x: Float[Array, "batch length width"], tau: Float[Array, "batch time"]
    ) -> Float[Array, "batch length width"]:
        """The states after the block; under bf16 they stay in float32."""
        x = x + self.attention(self.norm_attention(x, tau), causal=False)
        return x + self.mlp(self.norm_mlp(x, tau))


class CategoricalDiffusion(nnx.Module):
    """The network with its embeddings and its time warping.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        self.embed = nnx.Param(
            config.embed_scale * jax.random.normal(rngs.params(), (config.vocab_size, config.embed_dim))
        )
        self.warp = LearnedWarp(config.warp, loss_curve(config) if config.warp.initial == "analytic" else None)
        self.time = (TimeFeatures if config.time_features == "fourier" else SineFeatures)(config, rngs)
        # The noisy and the given embedding, the previous prediction, and the mask.
        self.embed_inputs = Linear(3 * config.embed_dim + 1, config.width, rngs=rngs)
        stacked = nnx.vmap(lambda key: Block(config, nnx.Rngs(key)))
        self.blocks = stacked(jax.random.split(rngs.params(), config.depth))
        self.norm = ConditionalNorm(config, rngs)
        self.head = Linear(config.width, config.vocab_size, rngs=rngs)

    def embeddings(self) -> Float[Array, "vocab embed"]:
        """The embeddings that noise is added to: normalised unless the configuration says otherwise."""
        return normalize(self.embed[...]) if self.config.normalize else self.embed[...]

    def hidden(
        self,
        x: Float[Array, "batch length embed"],
        t: Float[Array, " batch"],
        mask: Bool[Array, "batch length"],
        condition: Float[Array, "batch length embed"],
        prediction: Float[Array, "batch length embed"],
    ) -> Float[Array, "batch length width"]:
        """States before the last layer (paper, figure 3).

        Args:
            x: noisy embeddings.
            t: noise level of each sequence.
            mask: true where a token is noisy.
            condition: embeddings of the given tokens, zero elsewhere.
            prediction: the previous prediction, or zeros.
        """
        noisy = mask[..., None].astype(x.dtype)
        inputs = [noisy * scale_input(x, t), (1 - noisy) * condition, noisy * prediction, noisy]
        tau = self.time(t)
        if not self.config.time_conditioning:
            tau = jnp.zeros_like(tau)
        states = self.embed_inputs(jnp.concatenate(inputs, axis=-1)).astype(x.dtype)
        states = scan_blocks(self.blocks, states, lambda block, x: block(x, tau), remat=self.config.remat)
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
        """The expected embedding, renormalised or clamped as configured."""
        found = predict_embedding(hidden, *self._head(), embeddings, self.config.logits_chunk)
        return postprocess(found, embeddings, renormalize=self.config.renormalize, clamp=self.config.clamp)

    def _head(self) -> tuple[Array, Array]:
        bias = self.head.bias
        assert bias is not None
        return self.head.kernel[...], bias[...]

    def denoiser(self, given: Int[Array, "batch length"], mask: Bool[Array, "batch length"]) -> Denoiser:
        """The network as a denoiser of sequences of which some tokens are given."""
        condition = jnp.where(mask[..., None], 0.0, self.embeddings()[given])

        def denoise(x: Array, t: Array, prediction: Array, conditional: Array) -> Array:
            levels = jnp.broadcast_to(t, len(x))
            return self.logits(self.hidden(x, levels, mask, conditional * condition, prediction))

        return denoise

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "CategoricalDiffusion":
        """The model that `save_pretrained` wrote."""
        return load_pretrained(Path(folder), ModelConfig, cls)[0]


def loss_curve(config: ModelConfig | TranslationConfig) -> tuple[np.ndarray, np.ndarray]:
    """Noise levels, and the cross-entropy of the optimal classifier of independent tokens at each."""
    levels = np.geomspace(config.warp.t_min, config.warp.t_max, CURVE_POINTS)
    losses = optimal_cross_entropy(config.embed_dim, config.vocab_size, levels, draws=100)
    if losses[-1] <= losses[0]:
        raise UsageError(
            f"t_min {config.warp.t_min} and t_max {config.warp.t_max} make no difference for embeddings of "
            f"{config.embed_dim} channels; see `onepaper cdcd doctor`"
        )
    return levels, losses
