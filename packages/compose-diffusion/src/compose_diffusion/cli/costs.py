"""Cost of a configuration, for the table of presets: parameters, operations and memory; nothing is trained.

Operations and activations of one training step are counted on one sample and multiplied by the batch size. The
networks of the paper's image experiments exist on PyTorch's meta device only.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from onepaper.costs import training_cost
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.config.digits import DigitsConfig, GuidanceConfig
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.config.positions import PositionsConfig
from compose_diffusion.config.reuse import ReuseConfig
from compose_diffusion.config.toy import ToyExactConfig, ToyLearnedConfig
from compose_diffusion.data.digits import IMAGE_SIZE
from compose_diffusion.models.digits import Denoiser, NoisyClassifier
from compose_diffusion.models.guided_diffusion import GuidedEnergy, build_network
from compose_diffusion.models.positions import PositionEnergy
from compose_diffusion.models.positions import make_network as make_position_network
from compose_diffusion.models.toy import ToyEnergy
from compose_diffusion.models.toy import make_network as make_toy_network
from compose_diffusion.training.reuse import make_network as make_pipeline_network

# Tokens of a text that attention sees; more make little difference to the operations.
TEXT_TOKENS = 128
ENERGIES = (ToyEnergy, PositionEnergy, GuidedEnergy)


@dataclass(frozen=True)
class StepCost:
    """Cost of one training step on one sample.

    Attributes:
        parameters: of the network.
        flops: floating point operations, a multiplication and an addition counted as two.
        activation_bytes: stored for the backward pass, in float32; for an energy, of both backward passes.
    """

    parameters: int
    flops: int
    activation_bytes: int


def step_cost(network: nn.Module, x: Tensor, condition: Tensor | None = None) -> StepCost:
    """Count one training step.

    Args:
        network: called as network(x, t), or network(x, t, condition).
        x: [1, *event], on the network's device.
        condition: [1, ...].
    """
    kept: dict[StorageWeakRef, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[StorageWeakRef(storage)] = storage.nbytes()
        return tensor

    weights = {StorageWeakRef(parameter.untyped_storage()) for parameter in network.parameters()}
    inputs = (torch.zeros(1, dtype=torch.long, device=x.device), *(() if condition is None else (condition,)))
    with (
        FlopCounterMode(display=False) as counter,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved),
    ):
        if isinstance(network, ENERGIES):
            x.requires_grad_()
            # Of a view of x: the counter cannot follow a gradient with respect to a leaf.
            energy = network(x.view_as(x), *inputs).sum()
            loss = torch.autograd.grad(energy, x, create_graph=True)[0].square().sum()
        else:
            output = network(x, *inputs)
            loss = getattr(output, "sample", output).square().sum()
        loss.backward()
    activations = sum(size for storage, size in kept.items() if storage not in weights)
    return StepCost(sum(weight.numel() for weight in network.parameters()), counter.get_total_flops(), activations)


def cost_of(config: Any) -> dict[str, str]:
    """Named costs of a configuration: networks to train, or samples to draw."""
    if isinstance(config, ToyExactConfig):
        return {"parameters": "0", "samples": f"{config.num_samples} for each sampler and seed"}
    if isinstance(config, GuidanceConfig):
        return {
            "images": f"{config.num_images} for each arm and seed",
            "MCMC steps at each level": f"0 and {config.mcmc.steps_per_level}",
        }
    costs: dict[str, str] = {}
    if isinstance(config, PaperImagesConfig):
        costs |= _paper_figures("the network", config.network, config.network_fit)
        if config.classifier is not None and config.classifier_fit is not None:
            costs |= _paper_figures("the classifier", config.classifier, config.classifier_fit)
        return costs
    if isinstance(config, ToyLearnedConfig):
        costs["networks"] = f"{(2 if config.objective == 'distill' else 1) * len(config.components)}"
    for name, network, event_shape, fit in trained_networks(config):
        costs |= _figures(name, step_cost(network, torch.zeros(1, *event_shape)), fit)
    return costs


def trained_networks(
    config: ToyLearnedConfig | DigitsConfig | PositionsConfig | ReuseConfig,
) -> list[tuple[str, nn.Module, tuple[int, ...], FitConfig]]:
    """Name, network, shape of a sample and training of each network that a small preset trains."""
    digit = (1, IMAGE_SIZE, IMAGE_SIZE)
    match config:
        case ToyLearnedConfig():
            return [("each network", make_toy_network(config.network), (2,), config.fit)]
        case DigitsConfig():
            return [
                ("the denoiser", Denoiser(config.denoiser), digit, config.denoiser_fit),
                ("the classifier", NoisyClassifier(config.classifier), digit, config.classifier_fit),
            ]
        case PositionsConfig():
            canvas = (1, config.canvas.size, config.canvas.size)
            return [
                ("the score", make_position_network(config.score), canvas, config.score_fit),
                ("the energy", make_position_network(config.energy), canvas, config.energy_fit),
            ]
        case ReuseConfig():
            return [
                ("the first pipeline", make_pipeline_network(config.shape.network), digit, config.shape.fit),
                ("the second pipeline", make_pipeline_network(config.thick.network), digit, config.thick.fit),
            ]


def _figures(name: str, cost: StepCost, fit: FitConfig) -> dict[str, str]:
    size = fit.batch_size
    costs = training_cost(
        cost.parameters, size * cost.flops, fit.steps, averaged=True, activations=size * cost.activation_bytes
    )
    return {f"{key} of {name}": value for key, value in costs.items()}


def image_step_cost(config: UNetConfig | EncoderConfig) -> StepCost:
    """Count one training step of an image network on one image, without allocating or computing anything."""
    condition: Tensor | None = None
    with torch.device("meta"):
        network = build_network(config)
        x = torch.zeros(1, config.image_channels, config.image_size, config.image_size)
        if isinstance(config, UNetConfig) and config.condition != "none":
            shape = {"class": (1,), "position": (1, 2), "text": (1, TEXT_TOKENS, config.text_dim)}[config.condition]
            condition = torch.zeros(shape, dtype=torch.long if config.condition == "class" else torch.float32)
        return step_cost(network, x, condition)


def _paper_figures(name: str, network: UNetConfig | EncoderConfig, fit: FitConfig) -> dict[str, str]:
    cost = image_step_cost(network)
    # A batch is spread over devices, so activations are given for one image.
    return {
        **_figures(name, replace(cost, activation_bytes=0), fit),
        f"activations of {name}": f"{cost.activation_bytes / 1e6:.0f} MB for each image on the device",
    }
