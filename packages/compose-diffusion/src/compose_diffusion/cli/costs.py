"""Cost of a configuration, for the table of presets: parameters, operations and memory; nothing is trained.

Operations and activations of one training step are counted on one sample and multiplied by the batch size. The
networks of the paper's image experiments exist on PyTorch's meta device only.
"""

from collections.abc import Callable, Mapping
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
    return COSTS[type(config)](config)


def toy_cost(config: ToyExactConfig) -> dict[str, str]:
    """Number of samples; there is no network."""
    return {"parameters": "0", "samples": f"{config.num_samples} for each sampler and seed"}


def guidance_cost(config: GuidanceConfig) -> dict[str, str]:
    """Number of images, and MCMC steps of either arm."""
    return {
        "images": f"{config.num_images} for each arm and seed",
        "MCMC steps at each level": f"0 and {config.mcmc.steps_per_level}",
    }


def learned_toy_cost(config: ToyLearnedConfig) -> dict[str, str]:
    """Cost of each network, and the number of networks."""
    factor = 2 if config.objective == "distill" else 1
    cost = step_cost(make_toy_network(config.network), torch.zeros(1, 2))
    return {"networks": f"{factor * len(config.components)}", **_figures("each network", cost, config.fit)}


def digits_cost(config: DigitsConfig) -> dict[str, str]:
    """Cost of both networks."""
    image = torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE)
    denoiser = step_cost(Denoiser(config.denoiser), image)
    classifier = step_cost(NoisyClassifier(config.classifier), image)
    return {
        **_figures("the denoiser", denoiser, config.denoiser_fit),
        **_figures("the classifier", classifier, config.classifier_fit),
    }


def positions_cost(config: PositionsConfig) -> dict[str, str]:
    """Cost of both networks."""
    costs: dict[str, str] = {}
    for network, fit in ((config.score, config.score_fit), (config.energy, config.energy_fit)):
        cost = step_cost(make_position_network(network), torch.zeros(1, 1, config.canvas.size, config.canvas.size))
        costs |= _figures(f"the {network.form}", cost, fit)
    return costs


def reuse_cost(config: ReuseConfig) -> dict[str, str]:
    """Cost of both pipelines' networks."""
    costs: dict[str, str] = {}
    for name, attribute in (("the first pipeline", config.shape), ("the second pipeline", config.thick)):
        cost = step_cost(make_pipeline_network(attribute.network), torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE))
        costs |= _figures(name, cost, attribute.fit)
    return costs


def _figures(name: str, cost: StepCost, fit: FitConfig) -> dict[str, str]:
    size = fit.batch_size
    costs = training_cost(
        cost.parameters, size * cost.flops, fit.steps, averaged=True, activations=size * cost.activation_bytes
    )
    return {f"{key} of {name}": value for key, value in costs.items()}


def paper_images_cost(config: PaperImagesConfig) -> dict[str, str]:
    """Cost and estimated training time of the U-Net and, where there is one, of its classifier."""
    costs = _paper_figures("the network", config.network, config.network_fit)
    if config.classifier is not None and config.classifier_fit is not None:
        costs |= _paper_figures("the classifier", config.classifier, config.classifier_fit)
    return costs


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


COSTS: Mapping[type, Callable[[Any], dict[str, str]]] = {
    ToyExactConfig: toy_cost,
    ToyLearnedConfig: learned_toy_cost,
    GuidanceConfig: guidance_cost,
    DigitsConfig: digits_cost,
    PositionsConfig: positions_cost,
    ReuseConfig: reuse_cost,
    PaperImagesConfig: paper_images_cost,
}
