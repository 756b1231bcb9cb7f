"""Further terms of the loss of an autoencoder: a perceptual network of the user, and an adversarial term."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.torch.accelerator import Accelerator
from torch import Tensor, nn

from imagen3.config import AutoencoderTerms
from imagen3.models.discriminator import Adversarial

# Largest factor of the adversarial term, and what keeps it finite (Esser et al., 2021, section 3.2).
LARGEST_FACTOR, EPSILON = 1e4, 1e-4

Perceptual = Callable[[Tensor], Sequence[Tensor]]


def open_perceptual(name: str) -> nn.Module:
    """The network that a function of the user makes, frozen.

    Args:
        name: `module:function`; the function has no arguments, and its network gives a list of features [batch,
            channels, height, width] of pictures in [-1, 1].

    Raises:
        UsageError: there is no such function, or it makes no network.
    """
    module, _, function = name.partition(":")
    try:
        network = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"terms.perceptual is {name!r} ({error}), expected 'module:function', which takes no arguments"
        ) from None
    if not isinstance(network, nn.Module):
        raise UsageError(f"terms.perceptual: {name} gives {type(network).__name__}, expected a network of torch")
    return network.requires_grad_(False).eval()


def perceptual_distance(
    network: Perceptual, decoded: Float[Tensor, "b 3 h w"], pictures: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    r"""$\sum_l \mathrm{mean}_{p} |\hat f_l(x)_p - \hat f_l(y)_p|^2$ with features of unit length at each position.

    The distance of Zhang et al. (2018, section 3) with equal weights of all channels.
    """
    total = torch.zeros(len(pictures), device=pictures.device)
    for first, second in zip(network(decoded), network(pictures), strict=True):
        units = [nn.functional.normalize(own.float(), dim=1) for own in (first, second)]
        total = total + (units[0] - units[1]).square().sum(1).flatten(1).mean(1)
    return total


def adversarial_terms(
    model: Adversarial,
    decoded: Float[Tensor, "b 3 h w"],
    batch: dict[str, Tensor],
    error: Float[Tensor, ""],
    terms: AutoencoderTerms,
    accelerator: Accelerator,
) -> tuple[Tensor, dict[str, Any]]:
    r"""The adversarial term, with the hinge loss of the discriminator, summed over the batch; and what is logged.

    The term has the factor $\lambda = w |\nabla_L E| / (|\nabla_L A| + 10^{-4})$ for the last layer L, the error E of
    the pictures and the score A (Esser et al., 2021, section 3.2), with gradients of a micro-batch over all processes.
    Before step `terms.start` both count 0.
    """
    deceived = model.deceived(decoded).sum()
    norms = [
        accelerator.sum(torch.autograd.grad(own, model.last_weight, retain_graph=True)[0]).norm()
        for own in (error, deceived)
    ]
    factor = (norms[0] / (norms[1] + EPSILON)).clamp(max=LARGEST_FACTOR) * terms.adversarial_weight
    started = (batch["step"][0] >= terms.start).float()
    hinge = model.hinge(batch["pictures"], decoded).sum()
    logged = {"deceived": deceived, "hinge": hinge, "adversarial_factor": factor * started * len(decoded)}
    return started * (factor * deceived + hinge), logged
