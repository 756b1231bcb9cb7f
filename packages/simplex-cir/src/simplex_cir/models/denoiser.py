"""The network: a transformer from noisy vectors to token probabilities, with the exact evidence as input and as a skip
to the logits.

Axes: B batch, L positions, n categories, D width, H heads.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.config import unknown
from onepaper.errors import UsageError
from onepaper.jax.state_files import load_pretrained, model_arrays, save_pretrained

from simplex_cir.config import SHIPPED, ModelConfig
from simplex_cir.diffusion.posterior import log_evidence, per_coordinate
from simplex_cir.diffusion.snr import Scalar

# Weights that come with the package, a folder for each name of `config.SHIPPED`.
WEIGHTS = Path(__file__).parents[1] / "assets" / "weights"
# Largest wavelength of the sinusoidal features of log SNR.
LONGEST_WAVE = 20.0
# Largest wavelength of rotary position embeddings.
LONGEST_ROTARY_WAVE = 1000.0


def snr_features(log_snr: Float[Array, " batch"], dim: int) -> Float[Array, "batch dim"]:
    """Sines and cosines of log SNR at wavelengths from 1 to `LONGEST_WAVE`."""
    waves = 2 * jnp.pi / jnp.geomspace(1.0, LONGEST_WAVE, dim // 2)
    angles = log_snr[:, None] * waves
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=1)


def apply_rotary(x: Float[Array, "batch positions heads dim"]) -> Float[Array, "batch positions heads dim"]:
    """Rotary position embeddings (Su et al. 2021): entry pairs rotated by angles proportional to the position.

    Wavelengths go from 2 pi to `LONGEST_ROTARY_WAVE`. The product of a rotated query and a rotated key depends on the
    distance of their positions only.
    """
    positions, half = x.shape[1], x.shape[3] // 2
    angles = jnp.arange(positions)[:, None] * jnp.geomspace(1.0, 2 * jnp.pi / LONGEST_ROTARY_WAVE, half)
    cosine, sine = jnp.cos(angles)[:, None], jnp.sin(angles)[:, None]
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


class Block(nnx.Module):
    """Attention and MLP, each with adaptive layer norm: scale and shift before, and a gate after that is initially 0.

    Scales, shifts and gates depend on the condition if there is one (adaLN-Zero, Peebles and Xie 2023).
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        width = config.width
        self.heads, self.rotary = config.heads, config.rotary
        self.norm_attention = nnx.LayerNorm(width, use_bias=False, use_scale=False, rngs=rngs)
        self.norm_hidden = nnx.LayerNorm(width, use_bias=False, use_scale=False, rngs=rngs)
        if config.is_conditional:
            self.modulation = nnx.Linear(width, 6 * width, kernel_init=nnx.initializers.zeros, rngs=rngs)
        else:
            self.modulation = nnx.Param(jnp.zeros(6 * width))
        self.qkv = nnx.Linear(width, 3 * width, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.hidden = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch positions width"], condition: Float[Array, "batch width"] | None
    ) -> Float[Array, "batch positions width"]:
        """[B, L, D], [B, D] -> [B, L, D]."""
        if isinstance(self.modulation, nnx.Param):
            modulation = self.modulation[...]
        else:
            assert condition is not None
            modulation = self.modulation(jax.nn.silu(condition))[:, None]
        parts = jnp.split(modulation, 6, axis=-1)
        scale_a, shift_a, gate_a, scale_h, shift_h, gate_h = parts
        h = self.norm_attention(x) * (1 + scale_a) + shift_a
        q, k, v = rearrange(self.qkv(h), "b l (three h d) -> three b l h d", three=3, h=self.heads)
        if self.rotary:
            q, k = apply_rotary(q), apply_rotary(k)
        mixed = rearrange(jax.nn.dot_product_attention(q, k, v), "b l h d -> b l (h d)")
        x = x + gate_a * self.out(mixed)
        h = self.norm_hidden(x) * (1 + scale_h) + shift_h
        return x + gate_h * self.down(jax.nn.gelu(self.hidden(h)))


class SimplexDenoiser(nnx.Module):
    r"""$\log p_\theta(k | v, m)$ for every position: a `diffusion.posterior.Denoiser`.

    The logits are the output of the network plus $\log {}_0F_1(; a; m v_k)$, the exact evidence of the position's own
    vector. At initialisation the output is 0, so the model is the exact posterior of a uniform prior. The evidence is
    a sufficient statistic for the tokens, so it is also the only input: given the evidence, the SNR has no further
    information, and every position may have an SNR of its own. (Without evidence, for comparison, the inputs are the
    vectors and the SNR.)

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, n = config.width, config.num_categories
        self.embed = nnx.Linear(2 * n if config.self_conditioning else n, width, rngs=rngs)
        if not config.evidence:
            self.snr_in = nnx.Linear(width, width, rngs=rngs)
            self.snr_out = nnx.Linear(width, width, rngs=rngs)
        side = round(config.positions**0.5)
        tables = [config.positions] if config.layout == "line" else [side, side, side]
        self.places = nnx.List([_embedding(size, width, rngs) for size in tables])
        if config.num_classes:
            self.label = _embedding(config.num_classes + 1, width, rngs)
        self.blocks = nnx.List([Block(config, rngs) for _ in range(config.depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.head = nnx.Linear(width, n, kernel_init=nnx.initializers.zeros, rngs=rngs)

    @property
    def a(self) -> float | tuple[float, ...]:
        """Stationary shapes of the process whose vectors the model reads."""
        return self.config.a

    @property
    def null_label(self) -> int:
        """The label of the unconditional model."""
        return self.config.num_classes

    def __call__(
        self,
        v: Float[Array, "batch positions n"],
        snr: Scalar,
        label: Int[Array, " batch"] | None = None,
        self_cond: Float[Array, "batch positions n"] | None = None,
    ) -> Float[Array, "batch positions n"]:
        """Log probabilities.

        Args:
            v: noisy vectors, entries >= 0.
            snr: m, one for all, [B], or [B, L] where positions differ; 0 for a masked position. A network without
                evidence takes the lowest of each sequence.
            label: class of each sequence; None for the unconditional model.
            self_cond: probabilities of a first pass, for self-conditioning.
        """
        config = self.config
        snrs = jnp.broadcast_to(per_coordinate(snr, v), (*v.shape[:2], 1))[..., 0]
        evidence = log_evidence(v, snrs, config.a)
        features = self._features(v, evidence)
        if config.self_conditioning:
            self_cond = jnp.full_like(v, 1 / config.num_categories) if self_cond is None else self_cond
            features = jnp.concatenate([features, self_cond], axis=-1)
        x = self.embed(features) + self._position_embeddings()
        condition = self._condition(snrs, label)
        for block in self.blocks:
            x = block(x, condition)
        logits = self.head(self.norm(x))
        if config.evidence:
            logits = logits + evidence
        return jax.nn.log_softmax(logits, axis=-1)

    def _condition(self, snrs: Array, label: Array | None) -> Array | None:
        """The condition of the whole sequence, [B, D]; None without one."""
        parts: list[Array] = []
        if not self.config.evidence:
            hidden = self.snr_in(snr_features(jnp.log(snrs.min(axis=1)), self.config.width))
            parts.append(self.snr_out(jax.nn.silu(hidden)))
        if self.config.num_classes:
            parts.append(self.label(jnp.full(len(snrs), self.null_label) if label is None else label))
        return jnp.stack(parts).sum(axis=0) if parts else None

    def _features(self, v: Array, evidence: Array) -> Array:
        """Input features of each position."""
        n = self.config.num_categories
        if self.config.evidence:  # the posterior of a uniform prior, bounded at every SNR
            return n**0.5 * (jax.nn.softmax(evidence, axis=-1) - 1 / n)
        # Of Gamma(1) entries the result is about standard normal; that of the token grows with the root of the SNR.
        return 2 * (jnp.sqrt(v) - 1)

    def _position_embeddings(self) -> Float[Array, "positions width"]:
        positions = jnp.arange(self.config.positions)
        if self.config.layout == "line":
            return self.places[0](positions)
        side = round(self.config.positions**0.5)
        box = round(side**0.5)
        row, column = positions // side, positions % side
        cells = (row, column, row // box * box + column // box)
        return jnp.stack([table(index) for table, index in zip(self.places, cells, strict=True)]).sum(axis=0)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors`, in the configuration's precision, and `config.json`."""
        arrays = {name: array.astype(self.config.stored) for name, array in model_arrays(self).items()}
        return save_pretrained(Path(folder), arrays, self.config)

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "SimplexDenoiser":
        """Load a model that `save_pretrained` wrote, or a shipped one, in evaluation mode and single precision.

        Args:
            name: a folder, or a name of `config.SHIPPED` such as "splice".

        Raises:
            UsageError: neither a shipped name nor a weights folder, see `pretrained_folder`.
            OnePaperError: the weights are missing or damaged.
        """
        folder = pretrained_folder(name)

        def build(config: ModelConfig, rngs: nnx.Rngs) -> SimplexDenoiser:
            return _in_precision(cls(config, rngs), config.stored)

        model = _in_precision(load_pretrained(folder, ModelConfig, build)[0], "float32")
        model.eval()
        return model


def pretrained_folder(name: str | Path) -> Path:
    """The folder of the weights of a shipped network, or the given folder.

    Raises:
        UsageError: no such name or folder, or the folder of a run, whose weights are in its subfolder `pretrained`.
    """
    folder = WEIGHTS / name if name in SHIPPED else Path(name)
    if not folder.is_dir():
        raise UsageError(f"{unknown('model', str(name), SHIPPED)}, and no folder; give a name or a folder")
    if (folder / "pretrained").is_dir():
        raise UsageError(f"{folder} is the folder of a run; its weights are in {folder / 'pretrained'}")
    return folder


def _embedding(size: int, width: int, rngs: nnx.Rngs) -> nnx.Embed:
    """An embedding with entries of standard deviation 1, comparable to the input features from the first step on."""
    return nnx.Embed(size, width, embedding_init=nnx.initializers.normal(1.0), rngs=rngs)


def _in_precision(model: SimplexDenoiser, dtype: str) -> SimplexDenoiser:
    """The module with its parameters cast to another precision."""
    nnx.update(model, jax.tree.map(lambda array: array.astype(dtype), nnx.state(model, nnx.Param)))
    return model
