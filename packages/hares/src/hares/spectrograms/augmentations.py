r"""The augmentations of BYOL-A (Niizumi et al., 2021): mixing of powers, and random resized crops."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def mix_as_powers(
    log_mel: Float[Tensor, "batch frames mels"], partners: Int[Tensor, " batch"], weights: Float[Tensor, " batch"]
) -> Float[Tensor, "batch frames mels"]:
    r"""log-mixup-exp: $\log((1 - \lambda) e^x + \lambda e^{x'})$ with the partner x' of each example."""
    share = weights.clamp(1e-12, 1.0 - 1e-7)[:, None, None]
    return torch.logaddexp(log_mel + torch.log1p(-share), log_mel[partners] + share.log())


def random_resize_crop(
    spectrogram: Float[Tensor, "batch frames mels"],
    scales: tuple[float, float],
    canvas: float,
    generator: torch.Generator,
) -> Float[Tensor, "batch frames mels"]:
    """A random rectangle of each example, resized to the example's size by bicubic interpolation.

    The example lies in the middle of zeros, `canvas` times as long in time. A rectangle has `scales` times the size of
    the example, in each axis uniformly and at most the canvas, and a uniform position.

    Args:
        spectrogram: examples.
        scales: smallest and largest share.
        canvas: at least 1.
        generator: of the rectangles.
    """
    count, frames, mels = spectrogram.shape
    device, dtype = spectrogram.device, spectrogram.dtype
    grid: list[Tensor] = []
    for size, largest in ((mels, mels), (frames, int(canvas * frames))):
        drawn = torch.rand(2, count, generator=generator, device=device)
        length = (size * (scales[0] + (scales[1] - scales[0]) * drawn[0])).floor().clamp(1, largest)
        start = (drawn[1] * (largest - length + 1)).floor() - (largest - size) // 2
        steps = torch.linspace(0.0, 1.0, size, device=device)
        where = start[:, None] + steps * (length[:, None] - 1)
        # In the coordinates of `grid_sample`, -1 is the first bin and 1 the last one.
        grid.append(2.0 * where / max(size - 1, 1) - 1.0)
    bands, times = grid
    shape = (count, frames, mels)
    places = torch.stack([bands[:, None, :].expand(shape), times[:, :, None].expand(shape)], -1)
    cropped = F.grid_sample(spectrogram[:, None], places.to(dtype), "bicubic", "zeros", align_corners=True)
    return cropped[:, 0]
