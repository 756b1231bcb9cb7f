"""Training of an upsampler on pictures and what remains of them at half the size."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook, LoopOptions, fit
from PIL import Image, ImageFilter
from torch import Tensor, nn

from imagen3.config import UpsamplerConfig
from imagen3.data.pictures import Pictures, bucket_sampler
from imagen3.diffusion.objectives import preconditioning
from imagen3.diffusion.times import noise_levels
from imagen3.models.networks import build_denoiser
from imagen3.pretrained.systems import System
from imagen3.pretrained.upsamplers import Upsampler, check_parts
from imagen3.text.encoder import TextFeatures
from imagen3.training.cache import CaptionChoice, build_cache
from imagen3.training.denoiser import CAPTION_STREAM, EVALUATION_SEED, drop_text
from imagen3.training.draws import own_rows, random_rows
from imagen3.training.sharded import evaluating
from imagen3.upsampling import conditioned_input, folded, low_resolution, reduce_size

Batch = dict[str, Tensor]

# Degradations are drawn from (seed, step, this number, row), apart from captions and noise.
DEGRADATIONS = 3

# Of the pictures with degradations: largest deviation of the blur, of the noise, and qualities of JPEG files.
BLUR, NOISE, QUALITIES = 1.0, 4.0, (60, 96)


def degrade(picture: UInt8[np.ndarray, "h w 3"], generator: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with blur, noise and the traces of a JPEG file, each of random strength."""
    blurred = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(generator.uniform(0, BLUR)))
    noised = np.asarray(blurred) + generator.normal(0, generator.uniform(0, NOISE), picture.shape)
    file = BytesIO()
    quality = int(generator.integers(*QUALITIES))
    Image.fromarray(noised.round().clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def picture_pairs(
    config: UpsamplerConfig, pictures: Pictures, numbers: np.ndarray, seeds: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """`large` pictures, folded, and as `low` what half of the size keeps of them, enlarged again.

    A picture is degraded by the generator of its seed, or left as it is.
    """
    large = pictures.pixels[numbers]
    small = reduce_size(large, 2)
    for number, generator in enumerate(map(np.random.default_rng, seeds)):
        if generator.random() < config.degraded_share:
            small[number] = degrade(small[number], generator)
    return {"large": folded(large, config.fold), "low": low_resolution(small, config.fold)}


def upsampler_loss(config: UpsamplerConfig, empty: TextFeatures) -> Callable[[nn.Module, Batch, torch.Generator], Any]:
    r"""$|F(c_{in} z_t, c_s, t, s) - F^*|^2$ for $z_0 = k (x - c)$, with s uniform up to `largest_noise`.

    The target is that of `training.denoiser.denoiser_loss`.
    """

    def loss(model: nn.Module, batch: Batch, _: torch.Generator) -> Any:
        noise, other = batch["normal"].unbind(1)
        level, dropout, low_level = batch["uniform"].unbind(1)
        z = config.contrast * (batch["large"] - batch["low"])
        text = TextFeatures(batch["tokens"], batch["mask"], batch["pooled"])
        text = drop_text(text, empty, dropout < config.objective.text_dropout)
        t = noise_levels(level, config.objective)
        text, low = conditioned_input(text, config.largest_noise * low_level, batch["low"], other)
        share = t[:, None, None, None]
        noised = (1 - share) * z + share * noise
        factors = preconditioning(share, config.objective)
        found = model(torch.cat([factors.input * noised, low], dim=1), t, text)
        target = (noise - z - factors.skip * noised) / factors.output
        errors = (found - target).square().flatten(1).mean(1)
        return errors.sum(), len(errors), {"zero_loss": target.square().flatten(1).mean(1).sum()}

    return loss


def train_upsampler(
    config: UpsamplerConfig,
    system: System,
    pictures: Pictures,
    run: Run | None = None,
    *,
    loop: LoopOptions | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[Upsampler, bool]:
    """Train, or resume from the newest checkpoint of `run`; the upsampler, and whether the training is done.

    Args:
        config: of the upsampler.
        system: whose text encoder is used.
        pictures: of the large size.
        run: where logs and checkpoints go; None keeps nothing.
        loop: in place of that of the configuration.
        seed: of the initial weights, the batches, the degradations and the noise.
        accelerator: device, precision and processes.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: the denoiser does not fit the system.
    """
    check_parts(config, system)
    training, accelerator = config.training, accelerator or Accelerator()
    system = system.to(accelerator.device)
    # Of the features only those of the texts are used: the pictures stay pixels.
    side = system.config.autoencoder.factor
    blank = np.zeros((len(pictures.pixels), side, side, 3), np.uint8)
    cache = build_cache(system.autoencoder, system.encoder, replace(pictures, pixels=blank))
    loss = upsampler_loss(config, cache.empty)
    task = TorchTask(
        lambda: build_denoiser(config.denoiser),
        loss,
        training.optimizer,
        total_steps=training.loop.steps,
        accelerator=accelerator,
    )
    choose = CaptionChoice(cache, config.data.synthetic_share)
    used, held_out = (pictures.indices(part, selected=True) for part in ("train", "validation"))
    sampler = bucket_sampler(pictures, used, training.batch_size, seed)
    rows = own_rows(training.batch_size, accelerator)

    def batch_of(numbers: np.ndarray, rows: range, seed: int, step: int) -> Batch:
        texts = choose(numbers, np.random.default_rng([seed, step, CAPTION_STREAM]))
        pairs = picture_pairs(config, pictures, numbers[rows], [(seed, step, DEGRADATIONS, row) for row in rows])
        drawn = random_rows(pairs["low"].shape[1:], rows, len(numbers), seed=seed, step=step, normals=2, uniforms=3)
        return pairs | cache.text(texts[rows])._asdict() | drawn

    def batches(step: int) -> Batch:
        return batch_of(used[sampler(step)], rows, seed, step)

    def evaluate(state: Any) -> dict[str, float]:
        batch = batch_of(held_out, range(len(held_out)), EVALUATION_SEED, 0)
        generator = torch.Generator(accelerator.device)
        with evaluating(task, state) as model, torch.inference_mode():
            total, count, more = loss(
                model, {name: value.to(accelerator.device) for name, value in batch.items()}, generator
            )
        return {"loss": float(total) / count, "zero_loss": float(more["zero_loss"]) / count}

    fitted = fit(
        task,
        batches,
        loop or training.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        hooks=hooks,
        processes=accelerator,
        description="upsampler",
    )
    denoiser = build_denoiser(config.denoiser)
    with evaluating(task, fitted.state) as trained:
        denoiser.load_state_dict(trained.state_dict())
    return Upsampler(config, denoiser.requires_grad_(False).eval(), system), fitted.finished
