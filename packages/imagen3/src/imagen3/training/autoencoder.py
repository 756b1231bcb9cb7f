"""Training of the autoencoder."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from onepaper.data import BatchSampler
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook, LoopOptions, fit
from torch import Tensor

from imagen3.config import SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.models.autoencoder import Latents, picture_error
from imagen3.models.networks import AnyAutoencoder, build_autoencoder
from imagen3.sampling import from_bytes

ENCODED_AT_ONCE = 128


def autoencoder_loss(config: SystemConfig) -> Callable[[AnyAutoencoder, Tensor, torch.Generator], Any]:
    r"""$|x - D(z)|_1$, the error of edges, and $\beta\, \mathrm{KL}$ for each pixel, as sums over the batch."""

    def loss(model: AnyAutoencoder, pictures: Float[Tensor, "b 3 h w"], generator: torch.Generator) -> Any:
        latents = model.encode(pictures)
        error = picture_error(model.decode(latents.draw(generator)), pictures, config.edge_weight)
        divergence = latents.divergence() / math.prod(pictures.shape[2:])
        total = error + config.kl_weight * divergence
        return total.sum(), len(pictures), {"picture_error": error.sum(), "divergence": divergence.sum()}

    return loss


def train_autoencoder(
    config: SystemConfig,
    pictures: Pictures,
    run: Run | None = None,
    *,
    loop: LoopOptions | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
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
    """
    training = config.autoencoder_training
    accelerator = accelerator or Accelerator()
    task = TorchTask(
        lambda: build_autoencoder(config.autoencoder),
        autoencoder_loss(config),
        training.optimizer,
        total_steps=training.loop.steps,
        accelerator=accelerator,
    )
    train, held_out = pictures.indices("train"), pictures.pixels[pictures.indices("validation")]
    sampler = BatchSampler(len(train), training.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world)

    def evaluate(state: Any) -> dict[str, float]:
        with task.evaluating(state) as model:
            return {"psnr": psnr(model, held_out)}  # pyright: ignore[reportArgumentType]

    fitted = fit(
        task,
        lambda step: from_bytes(pictures.pixels[train[sampler(step)]]),
        loop or training.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        hooks=hooks,
        processes=accelerator,
        description="autoencoder",
    )
    model = build_autoencoder(config.autoencoder)
    with task.evaluating(fitted.state) as trained:
        model.load_state_dict(trained.state_dict())
    latents = encode_all(model.eval(), pictures.pixels[train])
    # The variance of a sample is that of the means and the mean of the variances.
    model.shift.fill_(latents.mean.mean())
    model.scale.fill_((latents.mean.var() + latents.log_variance.exp().mean()).rsqrt())
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
