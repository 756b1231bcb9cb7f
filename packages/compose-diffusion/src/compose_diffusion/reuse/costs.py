"""What training the two models takes, in words, for the table of presets."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.digits.data import IMAGE_SIZE
from compose_diffusion.reuse.config import AttributeConfig, ReuseConfig
from compose_diffusion.reuse.training import make_network


def reuse_cost(config: ReuseConfig) -> dict[str, str]:
    """Parameters and operations of both networks."""
    parts = {"shape": config.shape, "thick": config.thick}
    return {f"{name} of {part}": value for part, settings in parts.items() for name, value in _cost(settings).items()}


def _cost(config: AttributeConfig) -> dict[str, str]:
    network = make_network(config.network)
    images = torch.zeros(config.fit.batch_size, 1, IMAGE_SIZE, IMAGE_SIZE)
    times = torch.zeros(config.fit.batch_size, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        network(images, times).sample.sum().backward()
    return {
        "parameters": f"{sum(weight.numel() for weight in network.parameters()):,}",
        "FLOPs of a training step": f"{counter.get_total_flops():.2e}",
        "steps": f"{config.fit.steps:,}",
    }
