"""Training of the two models, as a user of diffusers would: its network, its scheduler, one attribute's images.

Nothing here knows of the composition. Each model is saved as an ordinary `DDPMPipeline` folder.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from jaxtyping import Float
from onepaper.data import BatchSampler
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, LoopOptions, fit
from torch import Tensor

from compose_diffusion.digits.data import IMAGE_SIZE, Digits, load_digits
from compose_diffusion.fitting import Training
from compose_diffusion.reuse.config import AttributeConfig, ReuseConfig, UNetConfig

# The noise that held-out losses are measured with, the same at every evaluation.
EVALUATION_SEED = 0


@dataclass(frozen=True, eq=False)
class TrainedPipeline:
    """A network and its scheduler; saved in the format of diffusers, safetensors and JSON."""

    network: UNet2DModel
    scheduler: DDPMScheduler

    def save_pretrained(self, folder: Path) -> Path:
        """Write the folder that `DDPMPipeline.from_pretrained` and `from_diffusers` read."""
        DDPMPipeline(unet=self.network, scheduler=self.scheduler).save_pretrained(folder, safe_serialization=True)
        for weights in folder.rglob("*.safetensors"):
            weights.chmod(0o644)  # safetensors makes private files
        return folder


def ink(images: Float[Tensor, "count 1 height width"]) -> Float[Tensor, " count"]:
    """Mean darkness of each image, 0 for empty paper and 1 for all ink."""
    return ((images.flatten(1).double() + 1) / 2).clamp(0.0, 1.0).mean(dim=1)


def ink_threshold() -> float:
    """The median ink of the images that the models learn from: more than this is thick."""
    return float(ink(load_digits("model").images).median())


def attribute_images(config: AttributeConfig, split: str) -> Float[Tensor, "count 1 height width"]:
    """The images of a split that have the attribute.

    Raises:
        UsageError: there are none.
    """
    digits: Digits = load_digits(split)
    chosen = torch.isin(digits.labels, torch.tensor(config.digits))
    if config.strokes == "thick":
        chosen &= ink(digits.images) > ink_threshold()
    if not bool(chosen.any()):
        raise UsageError(f"no image of split '{split}' shows one of {list(config.digits)} in {config.strokes} strokes")
    return digits.images[chosen]


def make_network(config: UNetConfig) -> UNet2DModel:
    """The network of a configuration for 8 x 8 grey images."""
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
    """The scheduler of a configuration, which noises the images and says what the network is to predict."""
    return DDPMScheduler(
        num_train_timesteps=config.num_train_timesteps,
        beta_schedule=config.beta_schedule,
        prediction_type=config.prediction_type,
    )


def attribute_loss(
    scheduler: DDPMScheduler,
) -> Callable[[Callable[..., Any], Tensor, torch.Generator], tuple[Tensor, int]]:
    r"""$|h_\theta(x_t, t) - y|^2 / D$ at a uniform level, y being noise, velocity or clean image (section 3.1)."""
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
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
) -> tuple[TrainedPipeline, Fitted[TorchState]]:
    """Train, or go on training, one model.

    Args:
        config: images, network, scheduler, optimiser.
        run: where checkpoints and logs go; None keeps nothing.
        loop: cadence and number of steps.
        seed: of weights, order of the images, levels, noise.
        accelerator: device and precision; the best device by default.

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

    fitted = fit(
        task,
        lambda step: images[torch.from_numpy(sampler(step))],
        loop,
        run,
        seed=seed,
        evaluate=held_out_loss,
        processes=task.accelerator,
        description=f"{config.prediction_type} on {len(images)} images",
    )
    with task.evaluating(fitted.state) as model:
        averaged = copy.deepcopy(model)
    assert isinstance(averaged, UNet2DModel)
    return TrainedPipeline(averaged, scheduler), fitted


def trainings(config: ReuseConfig) -> list[Training]:
    """Both models, for the `train` verb."""
    return [_training("shape", config.shape), _training("thick", config.thick)]


def _training(name: str, config: AttributeConfig) -> Training:
    def fit_it(
        run: Run | None, loop: LoopOptions, seed: int, accelerator: Accelerator
    ) -> tuple[TrainedPipeline, Fitted[TorchState]]:
        return train_attribute(config, run, loop, seed=seed, accelerator=accelerator)

    told = f"a UNet2DModel ({config.prediction_type}) on {len(attribute_images(config, 'model'))} images"
    return Training(name, config.fit.steps, told, fit_it)
