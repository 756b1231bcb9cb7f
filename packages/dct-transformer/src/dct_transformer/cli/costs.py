"""Parameters, FLOPs, memory and time of a configuration."""

import torch
from onepaper.costs import dense_flops, training_cost

from dct_transformer.config import ExperimentConfig
from dct_transformer.models.dct_transformer import DCTransformer


def cost_of(config: ExperimentConfig) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated."""
    count = number_of_parameters(config)
    flops = dense_flops(count, config.batch_size * config.model.chunk.length)
    return training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)


def number_of_parameters(config: ExperimentConfig) -> int:
    """Trained numbers of a network, counted without memory."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in DCTransformer(config.model).parameters())
