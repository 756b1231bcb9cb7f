"""Numbers of parameters and operations."""

import jax
from flax import nnx

from sed.config import MaskedConfig, ModelConfig
from sed.models.attention import Config
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.models.masked import MaskedLM


def count_parameters(config: Config) -> int:
    """Trained numbers of a network, without allocating it; the fixed embeddings are not counted."""

    def build() -> nnx.Module:
        rngs = nnx.Rngs(0)
        if isinstance(config, ModelConfig):
            return EmbeddingDiffusion(config, rngs)
        return MaskedLM(config, rngs) if isinstance(config, MaskedConfig) else AutoregressiveLM(config, rngs)

    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param)))


def step_flops(config: Config, batch_size: int) -> float:
    """FLOPs of a training step: three forward passes, and those of self-conditioning.

    A multiplication and an addition count as two. Attention has two products of contents and one of offsets, which are
    twice as many as positions. Both passes of `both` are trained; the extra one of `coin` is of half of the batch.
    """
    inner = config.heads * config.head_size
    # The keys of offsets are computed once for a batch, and not counted.
    block = 4 * config.width * inner + 2 * config.mlp_ratio * config.width**2
    passes, positions = 3.0, batch_size * config.length
    matrices = config.depth * block
    if isinstance(config, ModelConfig):
        inputs = 3 * config.embed_dim + 1 if config.cond_input == "concat" else 2 * config.embed_dim
        matrices += (inputs + config.embed_dim) * config.width
        passes += {"both": 3.0, "coin": 0.5, "off": 0.0}[config.self_conditioning]
    outputs = {True: 0, False: config.width * config.vocab_size}[isinstance(config, MaskedConfig | ModelConfig)]
    attention = 8 * config.depth * config.length * inner
    flops = passes * positions * (2 * matrices + attention) + 6 * positions * outputs
    if isinstance(config, ModelConfig) and not config.bits:
        flops += 6 * positions * config.vocab_size * config.embed_dim
    if isinstance(config, MaskedConfig):
        flops += 6 * positions * config.mask_rate * config.vocab_size * config.embed_dim
    return flops
