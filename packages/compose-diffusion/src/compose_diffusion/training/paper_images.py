"""Training of the paper's image networks on a folder of images: the U-Net, then the classifier if there is one.

`onepaper compose-diffusion train --preset paper-clevr`, alone or on several devices under torchrun, runs what
`trainings` lists. The loss of an energy is that of its gradient, the predicted noise (paper, section 4.2).
"""

from collections.abc import Callable
from typing import Any

import torch
from onepaper.data import BatchSampler, Prefetch
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, LoopOptions
from torch import Tensor

from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.data.image_folder import Condition, ImageFolder, open_image_folder
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.guided_diffusion import (
    GuidedEnergy,
    GuidedNetwork,
    GuidedUNet,
    build_network,
    null_condition,
)
from compose_diffusion.training.network_training import Batch, Training, class_loss, fit_averaged, noised_batch

NETWORK_FOLDER = "network"
CLASSIFIER_FOLDER = "classifier"
# Number of batches decoded in advance, and of decoding threads.
BATCHES_AHEAD = 4
DECODERS = 4


def trainings(config: PaperImagesConfig) -> list[Training]:
    """The networks of a preset, on the images of `$ONEPAPER_DATA/DATASET`.

    Raises:
        UsageError: images or labels are missing, or do not fit the networks.
    """
    network = config.network
    images = _images(config, network.condition, network.num_classes)
    loss = noise_loss(make_schedule(network.schedule), config.condition_dropout)
    kind = "denoiser" if network.form == "noise" else "energy"
    listed = [_training(NETWORK_FOLDER, kind, network, config.network_fit, loss, images)]
    if config.classifier is not None and config.classifier_fit is not None:
        labelled = _images(config, "class", config.classifier.num_classes)
        loss = class_loss(make_schedule(config.classifier.schedule))
        listed.append(
            _training(CLASSIFIER_FOLDER, "classifier", config.classifier, config.classifier_fit, loss, labelled)
        )
    return listed


def noise_loss(
    schedule: NoiseSchedule, condition_dropout: float
) -> Callable[[GuidedUNet | GuidedEnergy, Batch, torch.Generator], tuple[Tensor, int]]:
    r"""$|\hat\epsilon(x_t, t, y) - \epsilon|^2 / D$ at a uniformly drawn level, with condition dropout."""

    def loss(model: GuidedUNet | GuidedEnergy, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        images, condition = batch["images"], batch.get("condition")
        noisy, noise, t = noised_batch(images, schedule, generator)
        if condition is not None and condition_dropout:
            null = null_condition(model.config, images).expand_as(condition)
            withheld = torch.rand(len(images), generator=generator, device=images.device) < condition_dropout
            condition = torch.where(withheld.reshape(-1, *[1] * (condition.ndim - 1)), null, condition)
        errors = (model.noise(noisy, t, condition) - noise).square().flatten(1).mean(dim=1)
        return errors.sum(), len(errors)

    return loss


def _images(config: PaperImagesConfig, condition: Condition, num_classes: int) -> ImageFolder:
    return open_image_folder(
        config.dataset,
        condition,
        image_size=config.network.image_size,
        image_channels=config.network.image_channels,
        num_classes=num_classes,
        text_dim=config.network.text_dim,
        unreadable=config.unreadable,
    )


def _training(
    name: str,
    kind: str,
    network: UNetConfig | EncoderConfig,
    settings: FitConfig,
    loss: Callable[..., Any],
    images: ImageFolder,
) -> Training:
    def train(
        run: Run | None, loop: LoopOptions, seed: int, accelerator: Accelerator
    ) -> tuple[GuidedNetwork, Fitted[TorchState]]:
        task = TorchTask(
            lambda: build_network(network),
            loss,
            settings.optimizer,
            total_steps=settings.steps,
            accelerator=accelerator,
        )
        sampler = BatchSampler(
            len(images), settings.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world
        )
        with Prefetch(lambda step: images(sampler(step)), ahead=BATCHES_AHEAD, workers=DECODERS) as batches:
            return fit_averaged(task, batches, loop, run, seed=seed, description=name)

    return Training(name, settings.steps, f"the {kind} on {len(images)} examples of {images.root.name}", train)
