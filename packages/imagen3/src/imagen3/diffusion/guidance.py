r"""Classifier-free guidance (Ho and Salimans, 2022): $v = v_u + w (v_c - v_u)$, on an interval of noise levels
(Kynkäänniemi et al., 2024) and rescaled (Lin et al., 2024, section 3.4)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from imagen3.config import SamplingOptions
from imagen3.diffusion.samplers import Velocity
from imagen3.text.encoder import TextFeatures

Denoiser = Callable[[Tensor, Tensor, TextFeatures], Tensor]


def guide(
    conditional: Float[Tensor, "batch *shape"],
    unconditional: Float[Tensor, "batch *shape"],
    weight: float,
    rescale: float = 0.0,
) -> Float[Tensor, "batch *shape"]:
    r"""$v_u + w (v_c - v_u)$; with `rescale` $\phi$, $\phi v\, \mathrm{std}(v_c) / \mathrm{std}(v) + (1 - \phi) v$."""
    guided = unconditional + weight * (conditional - unconditional)
    if rescale:
        axes = tuple(range(1, guided.ndim))
        ratio = conditional.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
        guided = guided * (rescale * ratio + 1 - rescale)
    return guided


def guided_velocity(
    denoiser: Denoiser, text: TextFeatures, negative: TextFeatures, options: SamplingOptions
) -> Velocity:
    """The velocity of a batch of texts; `negative` is the empty text or what to avoid, in a batch of equal size.

    Both predictions are one call of the denoiser; the unconditional one is left out where it has no effect.
    """
    both = TextFeatures(*(torch.cat(pair) for pair in zip(text, negative, strict=True)))
    low, high = options.interval

    def velocity(z: Tensor, t: float) -> Tensor:
        level = torch.full((len(z),), t, device=z.device)
        if options.guidance == 1.0 or not low <= t <= high:
            return denoiser(z, level, text)
        if options.guidance == 0.0:
            return denoiser(z, level, negative)
        conditional, unconditional = denoiser(torch.cat([z, z]), torch.cat([level, level]), both).chunk(2)
        return guide(conditional, unconditional, options.guidance, options.rescale)

    return velocity
