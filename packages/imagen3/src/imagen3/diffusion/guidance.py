r"""Classifier-free guidance (Ho and Salimans, 2022): $v = v_u + w (v_c - v_u)$.

On an interval of noise levels (Kynkäänniemi et al., 2024), rescaled (Lin et al., 2024, section 3.4), and projected
(Sadat et al., 2024, without their momentum).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from imagen3.config import SamplingOptions
from imagen3.diffusion.samplers import Velocity
from imagen3.text.encoder import Denoiser, TextFeatures


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


def project(
    difference: Float[Tensor, "batch *shape"], picture: Float[Tensor, "batch *shape"], parallel: float
) -> Float[Tensor, "batch *shape"]:
    """The part of a difference that is orthogonal to a picture, and `parallel` times the part along it."""
    axes = tuple(range(1, difference.ndim))
    square = picture.square().sum(dim=axes, keepdim=True).clamp(min=torch.finfo(picture.dtype).tiny)
    along = (difference * picture).sum(dim=axes, keepdim=True) / square * picture
    return difference + (parallel - 1) * along


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
        if options.parallel != 1.0:
            # Pictures are z - t v, so that differences of velocities and of pictures have the same direction.
            difference = project(conditional - unconditional, z - t * conditional, options.parallel)
            unconditional = conditional - difference
        return guide(conditional, unconditional, options.guidance, options.rescale)

    return velocity
