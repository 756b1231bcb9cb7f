"""Pictures from prompts. The noise of a picture depends on its seed and number alone, not on its batch or device."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from onepaper.config import check_seed
from onepaper.errors import UsageError
from torch import Tensor

from imagen3.config import SamplingOptions, SystemConfig
from imagen3.diffusion.guidance import guided_velocity
from imagen3.diffusion.objectives import velocity_model
from imagen3.diffusion.samplers import ancestral, churn, dpmpp_2m, euler, heun
from imagen3.diffusion.tiling import by_tiles
from imagen3.diffusion.times import step_levels
from imagen3.pretrained.systems import System
from imagen3.text.encoder import TextFeatures

# Latents of a side that are decoded at once.
LARGEST_DECODED = 128

SOLVERS = {"euler": euler, "heun": heun, "dpmpp-2m": dpmpp_2m}


def generate(
    system: System,
    prompts: Sequence[str],
    options: SamplingOptions | None = None,
    *,
    seed: int = 0,
    negative: str = "",
    batch_size: int = 64,
    first: int = 0,
    size: tuple[int, int] | None = None,
    weak: System | None = None,
) -> UInt8[np.ndarray, "count height width 3"]:
    """One picture for each prompt.

    Args:
        system: networks and text encoder.
        prompts: at least one.
        options: sampler, steps and guidance; the defaults that are kept with the weights if None.
        seed: of the noise, from 0 to 2^32 - 1.
        negative: a text to guide away from; empty for plain guidance.
        batch_size: prompts at a time; it has no effect on the pictures but for rounding.
        first: number of the first picture, so that a long list may be drawn in parts.
        size: height and width in pixels; those of the training if None.
        weak: a system with the same latents and text encoder, whose denoiser is guided away from in place of the
            empty text.

    Raises:
        UsageError: no prompts, an empty one, a seed out of range, or a size that the networks do not take.
        OnePaperError: the latents are not finite.
    """
    options = options or system.config.sampling
    check_prompts(prompts, seed)
    pictures = []
    for begin in range(0, len(prompts), batch_size):
        part = prompts[begin : begin + batch_size]
        z = sample_latents(
            system, part, options, seed=seed, negative=negative, first=first + begin, size=size, weak=weak
        )
        pictures.append(decode_pictures(system, z))
    return np.concatenate(pictures)


def check_prompts(prompts: Sequence[str], seed: int) -> None:
    """Raise `UsageError` unless there are prompts, none is empty, and the seed is in range."""
    if not prompts or not all(prompt.strip() for prompt in prompts):
        raise UsageError("a prompt is empty or there is none; describe a picture, e.g. 'a tomato'")
    check_seed("seed", seed)


@torch.inference_mode()
def sample_latents(
    system: System,
    prompts: Sequence[str],
    options: SamplingOptions,
    *,
    seed: int = 0,
    negative: str = "",
    first: int = 0,
    size: tuple[int, int] | None = None,
    weak: System | None = None,
) -> Float[Tensor, "batch channels height width"]:
    """Latents of the denoiser for each prompt; arguments as of `generate`."""
    shape = (system.config.denoiser.channels, *latent_size(system.config, size))
    generators = [picture_generator(seed, first + index) for index in range(len(prompts))]

    def noise() -> Tensor:
        drawn = [torch.randn(shape, generator=generator) for generator in generators]
        return torch.stack(drawn).to(system.device)

    encoded = system.encoder.encode([*prompts, negative])
    text = TextFeatures(*(part[:-1].to(system.device) for part in encoded))
    against = TextFeatures(
        *(part[-1:].expand_as(wanted).to(system.device) for part, wanted in zip(encoded, text, strict=True))
    )
    denoiser = velocity_model(system.denoiser, system.config.objective)
    other = None if weak is None else velocity_model(weak.denoiser, weak.config.objective)
    velocity = guided_velocity(denoiser, text, against, options, other)
    levels, start = step_levels(options.steps, options.shift), noise()
    if options.sampler == "ancestral":
        return ancestral(velocity, start, levels, noise)
    if options.sampler == "churn":
        return churn(velocity, start, levels, noise, options.churn)
    return SOLVERS[options.sampler](velocity, start, levels)


def latent_size(config: SystemConfig, size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the latents of a picture.

    Raises:
        UsageError: a side is no positive multiple of factor * patch.
    """
    if size is None:
        return config.grid, config.grid
    unit = config.autoencoder.factor * config.denoiser.patch
    if any(side < unit or side % unit for side in size):
        raise UsageError(f"size is {size[0]} x {size[1]} pixels, expected multiples of {unit}")
    return size[0] // config.autoencoder.factor, size[1] // config.autoencoder.factor


@torch.inference_mode()
def decode_pictures(
    system: System, z: Float[Tensor, "batch channels height width"]
) -> UInt8[np.ndarray, "batch height_px width_px 3"]:
    """Latents of the denoiser as pictures; large ones by overlapping tiles, which bounds the memory."""
    whole = system.autoencoder.unnormalize(z)
    if max(whole.shape[2:]) <= LARGEST_DECODED:
        return to_bytes(system.autoencoder.decode(whole))
    return to_bytes(
        by_tiles(
            lambda rows, columns: system.autoencoder.decode(whole[..., rows, columns]),
            (whole.shape[2], whole.shape[3]),
            LARGEST_DECODED,
            LARGEST_DECODED // 4,
            factor=system.config.autoencoder.factor,
        )
    )


def to_bytes(pictures: Float[Tensor, "batch 3 height width"]) -> UInt8[np.ndarray, "batch height width 3"]:
    """Values in [-1, 1] as 8-bit RGB."""
    scaled = (127.5 * (pictures + 1)).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def from_bytes(pictures: UInt8[np.ndarray, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """8-bit RGB as values in [-1, 1]."""
    return torch.from_numpy(pictures.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def picture_generator(seed: int, number: int) -> torch.Generator:
    """The generator of a picture, on the CPU so that all devices draw the same noise."""
    entropy = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(entropy[0] >> np.uint64(1)))
