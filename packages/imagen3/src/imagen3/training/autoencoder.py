"""Training of the autoencoder."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook, LoopOptions, fit
from torch import Tensor

from imagen3.config import AutoencoderTerms, SystemConfig
from imagen3.data.buckets import same_size
from imagen3.data.pictures import Pictures, bucket_sampler
from imagen3.models.autoencoder import Latents, picture_error
from imagen3.models.discriminator import Adversarial, PatchDiscriminator
from imagen3.models.networks import AnyAutoencoder, build_autoencoder
from imagen3.sampling import from_bytes
from imagen3.training.autoencoder_terms import adversarial_terms, open_perceptual, perceptual_distance
from imagen3.training.draws import own_rows, random_rows
from imagen3.training.sharded import evaluating

ENCODED_AT_ONCE = 128


def autoencoder_loss(
    config: SystemConfig, terms: AutoencoderTerms | None = None, accelerator: Accelerator | None = None
) -> Callable[[Any, dict[str, Tensor], torch.Generator], Any]:
    r"""$|x - D(z)|_1$, the error of edges, and $\beta\, \mathrm{KL}$ for each pixel, as sums over the batch.

    With `terms` also a perceptual and an adversarial one (`training.autoencoder_terms`).
    """
    accelerator, terms = accelerator or Accelerator(), terms or AutoencoderTerms()
    network = open_perceptual(terms.perceptual).to(accelerator.device) if terms.perceptual else None

    def loss(model: AnyAutoencoder | Adversarial, batch: dict[str, Tensor], _: torch.Generator) -> Any:
        pictures, autoencoder = batch["pictures"], autoencoder_of(model)
        latents = autoencoder.encode(pictures)
        decoded = autoencoder.decode(drawn_latents(latents, batch["normal"][:, 0]))
        error = picture_error(decoded, pictures, config.edge_weight)
        if network is not None:
            error = error + terms.perceptual_weight * perceptual_distance(network, decoded, pictures)
        divergence = latents.divergence() / math.prod(pictures.shape[2:])
        total = (error + config.kl_weight * divergence).sum()
        logged = {"picture_error": error.sum(), "divergence": divergence.sum()}
        if isinstance(model, Adversarial):
            added, more = adversarial_terms(model, decoded, batch, error.sum(), terms, accelerator)
            total, logged = total + added, logged | more
        return total, len(pictures), logged

    return loss


def autoencoder_of(model: Any) -> AnyAutoencoder:
    """The autoencoder of a model in training, with or without a discriminator."""
    return model.autoencoder if isinstance(model, Adversarial) else model


def drawn_latents(latents: Latents, noise: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    r"""$\mu + e^{\log\sigma^2 / 2} n$ for a given n."""
    return latents.mean + torch.exp(latents.log_variance / 2) * noise


def train_autoencoder(
    config: SystemConfig,
    pictures: Pictures,
    run: Run | None = None,
    *,
    loop: LoopOptions | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
    terms: AutoencoderTerms | None = None,
) -> tuple[AnyAutoencoder, bool]:
    """Train, or resume from the newest checkpoint of `run`; the model with averaged weights, and whether it is done.

    The scale and shift of the latents are measured on the training pictures.

    Args:
        config: of the system.
        pictures: of all parts.
        run: where logs and checkpoints go; None keeps nothing.
        loop: in place of that of the configuration.
        seed: of the initial weights, the batches and the noise.
        accelerator: device, precision and processes.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.
        terms: further terms of the loss.

    Raises:
        UsageError: an adversarial term with sharded parameters, or a perceptual network that cannot be made.
    """
    training, terms = config.autoencoder_training, terms or AutoencoderTerms()
    accelerator = accelerator or Accelerator()
    if terms.adversarial_weight and accelerator.options.shards > 1:
        raise UsageError("an adversarial term needs whole parameters in each process; leave out --shards")

    def build() -> AnyAutoencoder | Adversarial:
        autoencoder = build_autoencoder(config.autoencoder)
        if not terms.adversarial_weight:
            return autoencoder
        return Adversarial(autoencoder, PatchDiscriminator(terms.discriminator_width, terms.discriminator_layers))

    task = TorchTask(
        build,
        autoencoder_loss(config, terms, accelerator),
        training.optimizer,
        total_steps=training.loop.steps,
        accelerator=accelerator,
    )
    train, held_out = (pictures.indices(part) for part in ("train", "validation"))
    sampler = bucket_sampler(pictures, train, training.batch_size, seed)
    rows = own_rows(training.batch_size, accelerator)

    def batches(step: int) -> dict[str, Tensor]:
        part = from_bytes(pictures.pixels[train[sampler(step)[rows]]])
        shape = (config.autoencoder.channels, *(side // config.autoencoder.factor for side in part.shape[2:]))
        drawn = random_rows(shape, rows, training.batch_size, seed=seed, step=step, normals=1)
        return {"pictures": part, "step": torch.full((len(part),), step)} | drawn

    def evaluate(state: Any) -> dict[str, float]:
        with evaluating(task, state) as model:
            parts = same_size(pictures.pixels, held_out, ENCODED_AT_ONCE)
            total = sum(len(part) * psnr(autoencoder_of(model), pictures.pixels[part]) for part in parts)
            return {"psnr": total / len(held_out)}

    fitted = fit(
        task,
        batches,
        loop or training.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        hooks=hooks,
        processes=accelerator,
        description="autoencoder",
    )
    model = build_autoencoder(config.autoencoder)
    with evaluating(task, fitted.state) as trained:
        model.load_state_dict(autoencoder_of(trained).state_dict())
    parts = [encode_all(model.eval(), pictures.pixels[own]) for own in same_size(pictures.pixels, train, len(train))]
    mean, log_variance = (torch.cat([part[index].flatten() for part in parts]) for index in range(2))
    # The variance of a sample is that of the means and the mean of the variances.
    model.shift.fill_(mean.mean())
    model.scale.fill_((mean.var() + log_variance.exp().mean()).rsqrt())
    return model, fitted.finished


@torch.inference_mode()
def encode_all(model: AnyAutoencoder, pixels: np.ndarray) -> Latents:
    """Latents of 8-bit pictures, on the CPU."""
    device = model.scale.device
    parts = [
        model.encode(from_bytes(pixels[begin : begin + ENCODED_AT_ONCE]).to(device))
        for begin in range(0, len(pixels), ENCODED_AT_ONCE)
    ]
    return Latents(*(torch.cat([part[index].cpu() for part in parts]) for index in range(2)))


@torch.inference_mode()
def psnr(model: AnyAutoencoder, pixels: np.ndarray) -> float:
    """Mean over 8-bit pictures of the peak signal-to-noise ratio of their reconstructions, in decibels."""
    total = 0.0
    for begin in range(0, len(pixels), ENCODED_AT_ONCE):
        part = from_bytes(pixels[begin : begin + ENCODED_AT_ONCE]).to(model.scale.device)
        error = (model.decode(model.encode(part).mean).clamp(-1, 1) - part).square().flatten(1).mean(1)
        total += float((10 * torch.log10(4 / error.clamp(min=1e-10))).sum())
    return total / len(pixels)
