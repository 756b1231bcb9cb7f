"""What a preset at the paper's scale takes, counted on networks that exist as shapes only.

Counted are parameters, operations of a training step, and what one step keeps in memory. The time on a GPU is an
estimate that divides operations by an assumed speed, `ASSUMED_FLOPS`; it was measured nowhere.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.network_options import FitConfig
from compose_diffusion.pretrained.architectures import EncoderConfig, UNetConfig
from compose_diffusion.pretrained.guided_diffusion import GuidedClassifier, GuidedUNet, build_network
from compose_diffusion.pretrained.paper_config import PaperImagesConfig

# Operations a second: 40 % of the 312 TFLOP/s that an NVIDIA A100 lists for bfloat16.
ASSUMED_FLOPS = 0.4 * 312e12
ASSUMED_DEVICE = "A100 at 40 % of its bf16 peak"
# Tokens of a text that attention sees; more make little difference to the operations.
TEXT_TOKENS = 128
# Float32 copies of the parameters during training: themselves, gradient, two moments of Adam, moving average.
TRAINING_COPIES = 5


@dataclass(frozen=True)
class StepCost:
    """Of one training step, for one image.

    Attributes:
        parameters: of the network.
        flops: floating point operations, a multiplication and an addition counted as two.
        activation_bytes: kept for the backward pass, in float32; twice through the network for an energy.
    """

    parameters: int
    flops: int
    activation_bytes: int


def step_cost(config: UNetConfig | EncoderConfig) -> StepCost:
    """Count one training step on one image; nothing is computed or allocated."""
    kept: dict[StorageWeakRef, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[StorageWeakRef(storage)] = storage.nbytes()
        return tensor

    with torch.device("meta"):
        network = build_network(config)
        weights = {StorageWeakRef(parameter.untyped_storage()) for parameter in network.parameters()}
        x = torch.zeros(1, config.image_channels, config.image_size, config.image_size)
        t = torch.zeros(1, dtype=torch.long)
        with (
            FlopCounterMode(display=False) as counter,
            torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved),
        ):
            if isinstance(network, GuidedClassifier):
                loss = network(x, t).sum()
            elif isinstance(network, GuidedUNet):
                loss = network(x, t, _condition(network.config)).square().sum()
            else:
                # `network.noise`, but from a view: the counter cannot follow a gradient with respect to a leaf.
                x.requires_grad_()
                energy = network(x.view_as(x), t, _condition(network.config)).sum()
                loss = torch.autograd.grad(energy, x, create_graph=True)[0].square().sum()
            loss.backward()
    activations = sum(size for storage, size in kept.items() if storage not in weights)
    return StepCost(sum(weight.numel() for weight in network.parameters()), counter.get_total_flops(), activations)


def cost_of(config: PaperImagesConfig) -> dict[str, str]:
    """Parameters, operations, memory and an estimated time of every network, as `presets` shows them."""
    costs = network_cost("network", config.network, config.network_fit)
    if config.classifier is not None and config.classifier_fit is not None:
        costs |= network_cost("classifier", config.classifier, config.classifier_fit)
    return costs


def network_cost(name: str, network: UNetConfig | EncoderConfig, settings: FitConfig) -> dict[str, str]:
    """Of one network, each figure under `FIGURE of the NAME`."""
    cost = step_cost(network)
    flops = cost.flops * settings.batch_size
    state = TRAINING_COPIES * 4 * cost.parameters
    hours = flops * settings.steps / ASSUMED_FLOPS / 3600
    figures = {
        "parameters": f"{cost.parameters:,}",
        "FLOPs of a training step": f"{flops:.2e}",
        "memory": f"{state / 2**30:.1f} GiB and {cost.activation_bytes / 2**30:.2f} GiB for each image on the device",
        "training": f"{settings.steps:,} steps, estimated {hours:,.0f} GPU hours ({ASSUMED_DEVICE})",
    }
    return {f"{figure} of the {name}": told for figure, told in figures.items()}


def _condition(config: UNetConfig) -> Tensor | None:
    if config.condition == "class":
        return torch.zeros(1, dtype=torch.long)
    if config.condition == "position":
        return torch.zeros(1, 2)
    return torch.zeros(1, TEXT_TOKENS, config.text_dim) if config.condition == "text" else None
