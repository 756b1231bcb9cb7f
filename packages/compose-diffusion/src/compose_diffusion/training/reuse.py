"""Training of the two models with the network and scheduler of diffusers, each on the images of one attribute.

The composition plays no role in training. Each model is saved as an ordinary `DDPMPipeline` folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from onepaper.data import BatchSampler
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions
from torch import Tensor

from compose_diffusion.config.reuse import AttributeConfig, ReuseConfig, UNetConfig
from compose_diffusion.data.digits import IMAGE_SIZE, attribute_images
from compose_diffusion.training.network_training import Batch, Training, fit_averaged


@dataclass(frozen=True, eq=False)
class TrainedPipeline:
    """A network and its scheduler; saved in the format of diffusers, safetensors and JSON."""

    network: UNet2DModel
    scheduler: DDPMScheduler

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder that `DDPMPipeline.from_pretrained` and `from_diffusers` read."""
        DDPMPipeline(unet=self.network, scheduler=self.scheduler).save_pretrained(folder, safe_serialization=True)
        for weights in Path(folder).rglob("*.safetensors"):
            weights.chmod(0o644)  # safetensors writes files without read permission for others
        return Path(folder)


def make_network(config: UNetConfig) -> UNet2DModel:
    """The network of a configuration, for 8 x 8 grey images."""
    return UNet2DModel(
        sample_size=IMAGE_SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=config.layers_per_block,
        block_out_channels=config.widths,
        down_block_types=("DownBlock2D",) * len(config.widths),
        up_block_types=("UpBlock2D",) * len(config.widths),
        norm_num_groups=config.group_count,
        add_attention=False,
        dropout=config.dropout,
    )


def make_scheduler(config: AttributeConfig) -> DDPMScheduler:
    """The scheduler of a configuration: noise levels and prediction type."""
    return DDPMScheduler(
        num_train_timesteps=config.num_train_timesteps,
        beta_schedule=config.beta_schedule,
        prediction_type=config.prediction_type,
    )


def attribute_loss(
    scheduler: DDPMScheduler,
) -> Callable[[Callable[..., Any], Batch, torch.Generator], tuple[Tensor, int]]:
    r"""$|h_\theta(x_t, t) - y|^2 / D$ at a uniformly drawn level, y being noise, velocity or clean image."""
    config = cast(Any, scheduler.config)

    def loss(model: Callable[..., Any], batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        images = batch["images"]
        t = torch.randint(config.num_train_timesteps, (len(images),), generator=generator, device=images.device)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        target = {
            "epsilon": noise,
            "v_prediction": scheduler.get_velocity(images, noise, cast(Any, t)),
            "sample": images,
        }[config.prediction_type]
        output = model(scheduler.add_noise(images, noise, cast(Any, t)), t).sample
        return (output - target).square().flatten(1).mean(dim=1).sum(), len(images)

    return loss


def train_attribute(
    config: AttributeConfig,
    run: Run | None,
    loop: LoopOptions,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    *,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[TrainedPipeline, Fitted[TorchState]]:
    """Train one model, or resume its training.

    Args:
        config: images, network, scheduler, optimiser.
        run: destination of checkpoints and logs; None writes none.
        loop: number of steps and intervals of logs and checkpoints.
        seed: of weights, order of the images, levels, noise.
        accelerator: device and precision; the best device by default.
        hooks: called as `hook(step, state, row)` after each log row.

    Returns:
        The pipeline with averaged weights in evaluation mode, and how the training ended.
    """
    scheduler = make_scheduler(config)
    task = TorchTask(
        lambda: make_network(config.network),
        attribute_loss(scheduler),
        config.fit.optimizer,
        total_steps=config.fit.steps,
        accelerator=accelerator,
    )
    images = attribute_images(config, "model")
    rank, world = task.accelerator.rank, task.accelerator.world
    sampler = BatchSampler(len(images), config.fit.batch_size, seed=seed, rank=rank, world=world)
    network, fitted = fit_averaged(
        task,
        lambda step: {"images": images[torch.from_numpy(sampler(step))]},
        loop,
        run,
        seed=seed,
        description=f"{config.prediction_type} on {len(images)} images",
        held_out={"images": attribute_images(config, "evaluator")},
        hooks=hooks,
    )
    return TrainedPipeline(network, scheduler), fitted


def trainings(config: ReuseConfig) -> list[Training]:
    """The trainings of the `train` verb: both models."""
    return [_training("shape", config.shape), _training("thick", config.thick)]


def _training(name: str, config: AttributeConfig) -> Training:
    description = f"a UNet2DModel ({config.prediction_type}) on {len(attribute_images(config, 'model'))} images"
    return Training(name, config.fit.steps, description, partial(train_attribute, config))
