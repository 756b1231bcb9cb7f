"""What a configuration takes, in words, for the table of presets; no network is trained to find out."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from onepaper.paper import resolve
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.config import COSTS
from compose_diffusion.digits.config import DigitsConfig, GuidanceConfig
from compose_diffusion.digits.data import IMAGE_SIZE
from compose_diffusion.digits.model import Denoiser, NoisyClassifier
from compose_diffusion.positions.config import PositionsConfig
from compose_diffusion.positions.model import PositionEnergy
from compose_diffusion.positions.training import build
from compose_diffusion.reuse.config import ReuseConfig
from compose_diffusion.reuse.training import make_network
from compose_diffusion.toy.config import ToyExactConfig


def cost_of(config: Any) -> dict[str, str]:
    """What `config.COSTS` has for the configuration's type: networks to train, or samples to draw."""
    return resolve(COSTS[type(config)])(config)


def toy_cost(config: ToyExactConfig) -> dict[str, str]:
    """Samples; there is no network."""
    return {"parameters": "0", "samples": f"{config.num_samples} for each sampler and seed"}


def guidance_cost(config: GuidanceConfig) -> dict[str, str]:
    """Images, and moves of either arm."""
    return {
        "images": f"{config.num_images} for each arm and seed",
        "moves at each level": f"0 and {config.mcmc.steps_per_level}",
    }


def digits_cost(config: DigitsConfig) -> dict[str, str]:
    """Parameters, operations and memory of both networks."""
    return _together(
        {
            "denoiser": training_cost(Denoiser(config.denoiser), config.denoiser_fit.batch_size),
            "classifier": training_cost(NoisyClassifier(config.classifier), config.classifier_fit.batch_size),
        }
    )


def positions_cost(config: PositionsConfig) -> dict[str, str]:
    """Parameters, operations and memory of both networks; the energy's training goes back through its gradient."""
    costs = {}
    for network, fit in ((config.score, config.score_fit), (config.energy, config.energy_fit)):
        model = build(network)

        def gradient(images: Tensor, t: Tensor, model: nn.Module = model) -> Tensor:
            # Of a view: the counter cannot follow a gradient with respect to a leaf.
            images.requires_grad_()
            return torch.autograd.grad(model(images.view_as(images), t).sum(), images, create_graph=True)[0]

        forward = gradient if isinstance(model, PositionEnergy) else model
        costs[network.form] = training_cost(model, fit.batch_size, config.canvas.size, forward)
    return _together(costs)


def reuse_cost(config: ReuseConfig) -> dict[str, str]:
    """Parameters, operations and memory of both pipelines' networks."""
    costs = {}
    for name, attribute in (("first pipeline", config.shape), ("second pipeline", config.thick)):
        network = make_network(attribute.network)

        def forward(images: Tensor, t: Tensor, network: nn.Module = network) -> Tensor:
            return network(images, t).sample

        costs[name] = training_cost(network, attribute.fit.batch_size, forward=forward)
    return _together(costs)


def _together(networks: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {f"{name} of the {network}": value for network, costs in networks.items() for name, value in costs.items()}


def training_cost(
    model: nn.Module,
    batch_size: int,
    image_size: int = IMAGE_SIZE,
    forward: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> dict[str, str]:
    """Parameters, operations of a training step, and memory: weights, gradient, two moments, average, activations.

    Args:
        model: the network.
        batch_size: of a step.
        image_size: height and width of its one-channel images.
        forward: its prediction for images and levels; the model itself if absent.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    images, t = torch.zeros(batch_size, 1, image_size, image_size), torch.zeros(batch_size, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        (forward or model)(images, t).sum().backward()
    memory = 5 * 4 * parameters + sum(kept.values())
    return {
        "parameters": f"{parameters:,}",
        "FLOPs of a training step": f"{counter.get_total_flops():.2e}",
        "memory": f"{memory / 2**20:.0f} MiB",
    }
