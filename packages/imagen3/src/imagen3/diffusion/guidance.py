r"""Classifier-free guidance (Ho and Salimans, 2022): $v = v_u + w (v_c - v_u)$.

On an interval of noise levels (Kynkäänniemi et al., 2024), rescaled (Lin et al., 2024, section 3.4), and projected
(Sadat et al., 2024). Instead of the empty text, a weaker network may be guided away from (Karras et al., 2024).
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


def limit_norm(difference: Float[Tensor, "batch *shape"], largest: float) -> Float[Tensor, "batch *shape"]:
    """A difference of pictures, scaled down to the norm `largest` where it is longer."""
    norm = difference.square().sum(dim=tuple(range(1, difference.ndim)), keepdim=True).sqrt()
    return difference * (largest / norm.clamp(min=torch.finfo(norm.dtype).tiny)).clamp(max=1.0)


def guided_velocity(
    denoiser: Denoiser,
    text: TextFeatures,
    negative: TextFeatures,
    options: SamplingOptions,
    weak: Denoiser | None = None,
) -> Velocity:
    """The velocity of a batch of texts; `negative` is the empty text or what to avoid, in a batch of equal size.

    Both predictions are one call of the denoiser; the unconditional one is left out where it has no effect. With a
    `weak` network, its prediction for the same texts takes the place of the unconditional one. The velocity of one
    sampling is not that of another where there is momentum.
    """
    running: Tensor | float = 0.0
    both = TextFeatures(*(torch.cat(pair) for pair in zip(text, negative, strict=True)))
    low, high = options.interval

    def velocity(z: Tensor, t: float) -> Tensor:
        nonlocal running
        level = torch.full((len(z),), t, device=z.device)
        if options.guidance == 1.0 or not low <= t <= high:
            return denoiser(z, level, text)
        if options.guidance == 0.0 and weak is None:
            return denoiser(z, level, negative)
        if weak is not None:
            conditional, unconditional = denoiser(z, level, text), weak(z, level, text)
        else:
            conditional, unconditional = denoiser(torch.cat([z, z]), torch.cat([level, level]), both).chunk(2)
        if options.parallel != 1.0 or options.momentum or options.norm_limit:
            # Pictures are z - t v.
            difference = running = t * (unconditional - conditional) + options.momentum * running
            if options.norm_limit:
                difference = limit_norm(difference, options.norm_limit)
            difference = project(difference, z - t * conditional, options.parallel)
            unconditional = conditional + difference / t
        return guide(conditional, unconditional, options.guidance, options.rescale)

    return velocity
