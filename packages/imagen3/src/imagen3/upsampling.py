r"""Pictures of twice the size, by diffusion of what interpolation lacks.

The report has 2x, 4x and 8x upsamplers without a description (paper, section 2); this is our own: diffusion of pixels,
as by Saharia et al. (2022), of the difference from the enlarged small picture, as by Li et al. (2022). Squares of
pixels are folded into channels. The small picture is enlarged to c by Lanczos interpolation, and noised to
$(1 - s) c + s \epsilon$; the level s is a feature of the network (`conditioned_input`), the same in training and
sampling.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from onepaper.errors import UsageError
from PIL import Image
from torch import Tensor

from imagen3.diffusion.objectives import preconditioning
from imagen3.diffusion.samplers import euler
from imagen3.diffusion.tiling import by_tiles
from imagen3.diffusion.times import step_levels
from imagen3.models.mmdit import TIME_FEATURES, TIME_SCALE
from imagen3.models.positions import frequency_features
from imagen3.pretrained.upsamplers import Upsampler
from imagen3.sampling import check_prompts, from_bytes, picture_generator, to_bytes
from imagen3.text.encoder import TextFeatures

Pictures = UInt8[np.ndarray, "count height width 3"]
METHODS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
SCALES = (1, 2, 4, 8)

# Noise of the upsampler is that of other pictures than the noise of the system with the same seed.
STREAM = 2**20


def enlarge(pictures: Pictures, scale: int, method: str = "bicubic") -> Pictures:
    """Pictures of `scale` times the size by interpolation, which an upsampler has to surpass."""
    _, height, width, _ = pictures.shape
    size = (width * scale, height * scale)
    return np.stack([np.asarray(Image.fromarray(picture).resize(size, METHODS[method])) for picture in pictures])


def reduce_size(pictures: Pictures, scale: int) -> Pictures:
    """Means of squares of `scale` by `scale` pixels."""
    count, height, width, _ = pictures.shape
    cells = pictures.reshape(count, height // scale, scale, width // scale, scale, 3)
    return cells.mean(axis=(2, 4)).round().astype(np.uint8)


def consistency(large: Pictures, small: Pictures) -> Float[np.ndarray, " count"]:
    """Peak signal-to-noise ratio in decibels of each large picture, reduced to the size of the small one."""
    error = reduce_size(large, large.shape[1] // small.shape[1]).astype(np.float64) - small
    return 10 * np.log10(255**2 / np.square(error).mean(axis=(1, 2, 3)).clip(1e-6))


def folded(pictures: Pictures, fold: int) -> Float[Tensor, "count channels h w"]:
    """Values in [-1, 1], each square of `fold` by `fold` pixels as channels."""
    return F.pixel_unshuffle(from_bytes(pictures), fold)


def low_resolution(small: Pictures, fold: int) -> Float[Tensor, "count channels h w"]:
    """What the network is given of small pictures: c, enlarged to twice the size and folded."""
    return folded(enlarge(small, 2, "lanczos"), fold)


def conditioned_input(
    text: TextFeatures, level: Float[Tensor, " batch"], low: Float[Tensor, "batch c h w"], noise: Tensor
) -> tuple[TextFeatures, Float[Tensor, "batch c h w"]]:
    r"""Texts that carry the level s beside their pooled features, and the noised picture $(1 - s) c + s \epsilon$."""
    features = frequency_features(TIME_SCALE * level, TIME_FEATURES)
    share = level[:, None, None, None]
    return text._replace(pooled=torch.cat([text.pooled, features], dim=1)), (1 - share) * low + share * noise


def upsample(
    upsampler: Upsampler,
    pictures: Pictures,
    prompts: Sequence[str],
    *,
    scale: int = 2,
    seed: int = 0,
    first: int = 0,
    batch_size: int = 16,
) -> Pictures:
    """Pictures of exactly `scale` times the size; 4 and 8 are 2 repeated.

    Args:
        upsampler: networks.
        pictures: of one size, which is a multiple of `UpsamplerConfig.unit` pixels.
        prompts: what they show, one each.
        scale: 1, 2, 4 or 8.
        seed: of the noise.
        first: number of the first picture.
        batch_size: pictures at a time.

    Raises:
        UsageError: another scale, number of prompts, or a size that the network does not take.
        OnePaperError: the pictures are not finite.
    """
    if scale not in SCALES:
        raise UsageError(f"scale is {scale}, expected 2, 4 or 8")
    check_prompts(prompts, seed)
    if len(prompts) != len(pictures):
        raise UsageError(f"there are {len(prompts)} prompts for {len(pictures)} pictures; give one for each")
    unit = upsampler.config.unit
    if any(side % unit for side in pictures.shape[1:3]):
        raise UsageError(
            f"pictures have {pictures.shape[1]} x {pictures.shape[2]} pixels, expected multiples of {unit}"
        )
    for round_ in range(scale.bit_length() - 1):
        parts = []
        for begin in range(0, len(pictures), batch_size):
            part = slice(begin, begin + batch_size)
            number = STREAM * (round_ + 1) + first + begin
            parts.append(_doubled(upsampler, pictures[part], prompts[part], seed, number))
        pictures = np.concatenate(parts)
    return pictures


@torch.inference_mode()
def _doubled(upsampler: Upsampler, pictures: Pictures, prompts: Sequence[str], seed: int, first: int) -> Pictures:
    config, system = upsampler.config, upsampler.system
    low = low_resolution(pictures, config.fold).to(system.device)
    generators = [picture_generator(seed, first + index) for index in range(len(pictures))]
    start, noise = (
        torch.stack([torch.randn(low.shape[1:], generator=own) for own in generators]).to(low) for _ in range(2)
    )
    text = TextFeatures(*(part.to(system.device) for part in system.encoder.encode(prompts)))
    text, given = conditioned_input(text, torch.full((len(low),), config.noise, device=low.device), low, noise)

    def velocity(z: Tensor, t: float) -> Tensor:
        level = torch.full((len(z),), t, device=z.device)
        factors = preconditioning(level[:, None, None, None], config.objective)
        whole = torch.cat([factors.input * z, given], dim=1)

        def of_tile(rows: slice, columns: slice) -> Tensor:
            return upsampler.denoiser(whole[..., rows, columns], level, text)

        sides = (z.shape[2], z.shape[3])
        found = (
            of_tile(slice(None), slice(None))
            if max(sides) <= config.tile
            else by_tiles(of_tile, sides, config.tile, config.tile // 4)
        )
        return factors.skip * z + factors.output * found

    difference = euler(velocity, start, step_levels(config.steps)) / config.contrast
    return to_bytes(F.pixel_shuffle(low + difference, config.fold))
