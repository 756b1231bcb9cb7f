"""Numbers of parameters and operations by formula, an independent check of the networks."""

import jax
from flax import nnx

from cdcd.config import AutoregressiveConfig, ModelConfig
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion

Config = ModelConfig | AutoregressiveConfig


def count_parameters(config: Config) -> int:
    """Trained numbers of a network, without allocating it; those of the time warping included."""
    build = CategoricalDiffusion if isinstance(config, ModelConfig) else AutoregressiveLM
    abstract = nnx.eval_shape(lambda: build(config, nnx.Rngs(0)))  # type: ignore[arg-type]
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract, nnx.Param)))


def step_flops(config: Config, batch_size: int) -> float:
    """FLOPs of a training step: three forward passes, and one more of half of the batch for self-conditioning.

    A multiplication and an addition count as two. Attention adds 4 L h in each block and position.
    """
    block = (4 + 2 * config.mlp_ratio) * config.width**2
    matrices = config.depth * block + config.width * config.vocab_size
    passes = 3.0
    if isinstance(config, ModelConfig):
        matrices += (3 * config.embed_dim + 1) * config.width
        if config.self_conditioning:
            passes += 0.5
    attention = 4 * config.depth * config.length * config.width
    return passes * batch_size * config.length * (2 * matrices + attention)
