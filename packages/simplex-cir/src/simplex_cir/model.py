"""The network: a transformer from noisy vectors to token probabilities, with the exact evidence as a skip.

Axes: B batch, L positions, n categories, D width, H heads.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.jax.state_files import load_pretrained, save_pretrained

from simplex_cir.config import ModelConfig
from simplex_cir.posterior import Scalar, log_evidence, per_coordinate

# Of the sinusoidal features of log SNR: their number for each unit of width, and the largest wavelength.
LONGEST_WAVE = 20.0


def snr_features(log_snr: Float[Array, " batch"], dim: int) -> Float[Array, "batch dim"]:
    """Sines and cosines of log SNR at wavelengths from 1 to `LONGEST_WAVE`."""
    waves = 2 * jnp.pi / jnp.geomspace(1.0, LONGEST_WAVE, dim // 2)
    angles = log_snr[:, None] * waves
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)


class Block(nnx.Module):
    """Attention and perceptron, each normalised, modulated by the SNR, and gated at first to nothing (adaLN)."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        width = config.width
        self.heads = config.heads
        self.norm_attention = nnx.LayerNorm(width, use_bias=False, use_scale=False, rngs=rngs)
        self.norm_hidden = nnx.LayerNorm(width, use_bias=False, use_scale=False, rngs=rngs)
        self.modulation = nnx.Linear(width, 6 * width, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.qkv = nnx.Linear(width, 3 * width, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.hidden = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Float[Array, "batch positions width"], snr: Float[Array, "batch width"]) -> Array:
        """[B, L, D], [B, D] -> [B, L, D]."""
        parts = jnp.split(self.modulation(jax.nn.silu(snr))[:, None], 6, axis=-1)
        scale_a, shift_a, gate_a, scale_h, shift_h, gate_h = parts
        h = self.norm_attention(x) * (1 + scale_a) + shift_a
        q, k, v = rearrange(self.qkv(h), "b l (three h d) -> three b l h d", three=3, h=self.heads)
        mixed = rearrange(jax.nn.dot_product_attention(q, k, v), "b l h d -> b l (h d)")
        x = x + gate_a * self.out(mixed)
        h = self.norm_hidden(x) * (1 + scale_h) + shift_h
        return x + gate_h * self.down(jax.nn.gelu(self.hidden(h)))


class SimplexDenoiser(nnx.Module):
    r"""$\log p_\theta(k | v, m)$ for every position: a `posterior.Denoiser`.

    The logits are the network's plus $\log {}_0F_1(; a; m v_k)$, the exact evidence of the position's own vector. With
    the network's output at 0, as it starts, this is already the exact posterior of a uniform prior.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, n = config.width, config.num_categories
        self.embed = nnx.Linear(2 * n if config.self_conditioning else n, width, rngs=rngs)
        self.snr_in = nnx.Linear(width, width, rngs=rngs)
        self.snr_out = nnx.Linear(width, width, rngs=rngs)
        side = round(config.positions**0.5)
        tables = [config.positions] if config.layout == "line" else [side, side, side]
        self.places = nnx.List([nnx.Embed(size, width, rngs=rngs) for size in tables])
        if config.num_classes:
            self.label = nnx.Embed(config.num_classes + 1, width, rngs=rngs)
        self.blocks = nnx.List([Block(config, rngs) for _ in range(config.depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.head = nnx.Linear(width, n, kernel_init=nnx.initializers.zeros, rngs=rngs)

    @property
    def null_label(self) -> int:
        """The label that stands for no condition."""
        return self.config.num_classes

    def __call__(
        self,
        v: Float[Array, "batch positions n"],
        snr: Scalar,
        label: Int[Array, " batch"] | None = None,
        earlier: Float[Array, "batch positions n"] | None = None,
    ) -> Float[Array, "batch positions n"]:
        """Log probabilities.

        Args:
            v: noisy vectors, entries >= 0.
            snr: m, one for all, [B], or [B, L] where some positions are known better. The network is told the lowest
                of a sequence; positions above it speak through their vectors and their evidence, which is exact.
            label: class of each sequence; None for no condition.
            earlier: probabilities of a first pass, for self-conditioning.
        """
        config = self.config
        snrs = jnp.broadcast_to(per_coordinate(snr, v), (*v.shape[:2], 1))[..., 0]
        # The square root makes Gamma(1) entries about standard normal; the token's own grows with the root of the SNR.
        features = 2 * (jnp.sqrt(v) - 1)
        if config.self_conditioning:
            earlier = jnp.full_like(v, 1 / config.num_categories) if earlier is None else earlier
            features = jnp.concatenate([features, earlier], axis=-1)
        x = self.embed(features) + self._places()
        condition = self.snr_out(jax.nn.silu(self.snr_in(snr_features(jnp.log(snrs.min(axis=1)), config.width))))
        if config.num_classes:
            label = jnp.full(v.shape[:1], self.null_label) if label is None else label
            condition = condition + self.label(label)
        for block in self.blocks:
            x = block(x, condition)
        logits = self.head(self.norm(x))
        if config.evidence:
            logits = logits + log_evidence(v, snrs, config.a)
        return jax.nn.log_softmax(logits, axis=-1)

    def _places(self) -> Float[Array, "positions width"]:
        positions = jnp.arange(self.config.positions)
        if self.config.layout == "line":
            return self.places[0](positions)
        side = round(self.config.positions**0.5)
        box = round(side**0.5)
        row, column = positions // side, positions % side
        cells = (row, column, row // box * box + column // box)
        return jnp.stack([table(index) for table, index in zip(self.places, cells, strict=True)]).sum(axis=0)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "SimplexDenoiser":
        """The model that `save_pretrained` wrote, ready for use."""
        model, _ = load_pretrained(Path(folder), ModelConfig, cls)
        model.eval()
        return model
