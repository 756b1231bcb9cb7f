"""Parameters, FLOPs, memory and time of a configuration."""

import math

import torch
from onepaper.costs import dense_flops, training_cost
from torch import nn

from dct_transformer.config import BaselineConfig, ExperimentConfig
from dct_transformer.models.code_autoencoder import STRIDE
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.models.token_model import TokenModel


def cost_of(config: ExperimentConfig | BaselineConfig) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated."""
    count = number_of_parameters(config)
    length = _tokens(config)[1] if isinstance(config, BaselineConfig) else config.model.chunk.length
    flops = dense_flops(count, config.batch_size * length)
    return training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)


def number_of_parameters(config: ExperimentConfig | BaselineConfig) -> int:
    """Trained numbers of a network, counted without memory; of a baseline those of its Transformer."""
    with torch.device("meta"):
        if isinstance(config, BaselineConfig):
            model: nn.Module = TokenModel(_tokens(config)[0], config.dim, config.heads, config.layers, config.dropout)
        else:
            model = DCTransformer(config.model)
        return sum(parameter.numel() for parameter in model.parameters())


def _tokens(config: BaselineConfig) -> tuple[int, int]:
    """Vocabulary and length of the sequences of a baseline."""
    pixels = config.height * config.width
    # At quality 50 small pictures take about a third of a byte for each pixel.
    return {
        "pixels": (256, 3 * pixels),
        "jpeg-bytes": (257, pixels // 3),
        "codes": (math.prod(config.levels), pixels // STRIDE**2),
    }[config.tokens]
