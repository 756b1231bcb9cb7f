"""Numbers of parameters and operations by formula, an independent check of the networks."""

import jax
from flax import nnx

from cdcd.config import AutoregressiveConfig, CausalTranslationConfig, ModelConfig, TranslationConfig
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.models.translation import TranslationDiffusion

EncoderDecoderConfig = TranslationConfig | CausalTranslationConfig
Config = ModelConfig | AutoregressiveConfig | EncoderDecoderConfig

_MODELS = {
    ModelConfig: CategoricalDiffusion,
    AutoregressiveConfig: AutoregressiveLM,
    TranslationConfig: TranslationDiffusion,
    CausalTranslationConfig: CausalTranslator,
}


def count_parameters(config: Config) -> int:
    """Trained numbers of a network, without allocating it; those of the time warping included."""
    build = _MODELS[type(config)]
    abstract = nnx.eval_shape(lambda: build(config, nnx.Rngs(0)))  # type: ignore[arg-type]
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract, nnx.Param)))


def step_flops(config: Config, batch_size: int) -> float:
    """FLOPs of a training step: three forward passes, and one more of half of the batch for self-conditioning.

    A multiplication and an addition count as two. Attention adds 4 L h in each block and position.
    """
    if isinstance(config, EncoderDecoderConfig):
        return _encoder_decoder_flops(config, batch_size)
    block = (4 + 2 * config.mlp_ratio) * config.width**2
    matrices = config.depth * block + config.width * config.vocab_size
    passes = 3.0
    if isinstance(config, ModelConfig):
        matrices += (3 * config.embed_dim + 1) * config.width
        if config.self_conditioning:
            passes += 0.5
    attention = 4 * config.depth * config.length * config.width
    return passes * batch_size * config.length * (2 * matrices + attention)


def _encoder_decoder_flops(config: EncoderDecoderConfig, batch_size: int) -> float:
    """The encoder runs once a step, the decoder of the diffusion model once more for half of the batch."""
    width, source, target = config.width, config.source_length, config.length
    block, cross = (4 + 2 * config.mlp_ratio) * width**2, 2 * width**2
    encoder = config.encoder_depth * source * (2 * block + 4 * source * width)
    # Queries and outputs of the attention to the source are of the target, keys and values of the source.
    decoder = config.depth * (target * (2 * (block + cross) + 4 * (target + source) * width) + source * 2 * cross)
    decoder += 2 * target * width * config.vocab_size
    passes = 3.5 if isinstance(config, TranslationConfig) and config.self_conditioning else 3.0
    return batch_size * (3.0 * encoder + passes * decoder)
