"""Training of the two models with the network and scheduler of diffusers, each on the images of one attribute.

The composition plays no role in training. Each model is saved as an ordinary `DDPMPipeline` folder.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from diffusers import DDPMScheduler
from onepaper.data import BatchSampler
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions
from torch import Tensor

from compose_diffusion.config.reuse import AttributeConfig, ReuseConfig
from compose_diffusion.data.digits import attribute_images
from compose_diffusion.models.pipelines import TrainedPipeline, make_network, make_scheduler
from compose_diffusion.training.network_training import Training, fit_averaged

# Seed of the noise of held-out losses, the same at every evaluation.
EVALUATION_SEED = 0


def attribute_loss(
    scheduler: DDPMScheduler,
) -> Callable[[Callable[..., Any], Tensor, torch.Generator], tuple[Tensor, int]]:
    r"""$|h_\theta(x_t, t) - y|^2 / D$ at a uniformly drawn level, y being noise, velocity or clean image."""
    config = cast(Any, scheduler.config)

    def loss(model: Callable[..., Any], images: Tensor, generator: torch.Generator) -> tuple[Tensor, int]:
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
    images, held_out = attribute_images(config, "model"), attribute_images(config, "evaluator")
    rank, world = task.accelerator.rank, task.accelerator.world
    sampler = BatchSampler(len(images), config.fit.batch_size, seed=seed, rank=rank, world=world)

    def held_out_loss(state: TorchState) -> dict[str, float]:
        device = task.accelerator.device
        with task.evaluating(state) as model:
            generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
            loss_sum, weight = task.loss(model, held_out.to(device), generator)
        return {"held_out_loss": float(loss_sum) / weight}

    network, fitted = fit_averaged(
        task,
        lambda step: images[torch.from_numpy(sampler(step))],
        loop,
        run,
        seed=seed,
        description=f"{config.prediction_type} on {len(images)} images",
        evaluate=held_out_loss,
        hooks=hooks,
    )
    return TrainedPipeline(network, scheduler), fitted


def trainings(config: ReuseConfig) -> list[Training]:
    """The trainings of the `train` verb: both models."""
    return [_training("shape", config.shape), _training("thick", config.thick)]


def _training(name: str, config: AttributeConfig) -> Training:
    description = f"a UNet2DModel ({config.prediction_type}) on {len(attribute_images(config, 'model'))} images"
    return Training(name, config.fit.steps, description, partial(train_attribute, config))
