"""Training of the networks of digits: the denoiser and the guiding classifier."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int
from onepaper.data import BatchSampler
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions
from torch import Tensor

from compose_diffusion.config.digits import DigitsConfig
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.data.digits import Digits, load_digits
from compose_diffusion.diffusion import NoiseSchedule, add_noise, make_schedule
from compose_diffusion.models.digits import CLASSIFIER_FOLDER, DENOISER_FOLDER, Denoiser, NoisyClassifier
from compose_diffusion.training.network_training import Training, fit_averaged

Batch = dict[str, Tensor]
# Sums over a batch, its size, and further sums to log.
LossSums = tuple[Tensor, int] | tuple[Tensor, int, dict[str, Tensor]]

# Seed of the noise of held-out losses, the same at every evaluation.
EVALUATION_SEED = 0


def withhold_labels(
    labels: Int[Tensor, " batch"], null_label: int, fraction: float, generator: torch.Generator
) -> Int[Tensor, " batch"]:
    """Replace a random fraction of the labels by the null label."""
    withheld = torch.rand(labels.shape, generator=generator, device=labels.device) < fraction
    return torch.where(withheld, null_label, labels)


def denoiser_loss(
    schedule: NoiseSchedule, label_dropout: float
) -> Callable[[Denoiser, Batch, torch.Generator], LossSums]:
    r"""$|\hat\epsilon(x_t, t, y) - \epsilon|^2 / D$ at a uniformly drawn level, with label dropout."""

    def loss(model: Denoiser, batch: Batch, generator: torch.Generator) -> LossSums:
        noised, noise, t = _noised(batch["images"], schedule, generator)
        labels = withhold_labels(batch["labels"], model.null_label, label_dropout, generator)
        errors = (model(noised, t, labels) - noise).square().flatten(1).mean(dim=1)
        return errors.sum(), len(errors)

    return loss


def classifier_loss(schedule: NoiseSchedule) -> Callable[[NoisyClassifier, Batch, torch.Generator], LossSums]:
    r"""$-\log p(y | x_t, t)$ at a uniformly drawn level; logs the accuracy over all levels too."""

    def loss(model: NoisyClassifier, batch: Batch, generator: torch.Generator) -> LossSums:
        noised, _, t = _noised(batch["images"], schedule, generator)
        logits = model(noised, t)
        correct = (logits.argmax(dim=1) == batch["labels"]).sum()
        return F.cross_entropy(logits, batch["labels"], reduction="sum"), len(logits), {"accuracy": correct}

    return loss


def _noised(images: Tensor, schedule: NoiseSchedule, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images noised to random levels, the noise, the levels."""
    t = torch.randint(len(schedule), (len(images),), generator=generator, device=images.device)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return add_noise(images, noise, t, schedule), noise, t


def trainings(config: DigitsConfig) -> list[Training]:
    """The trainings of the `train` verb: the denoiser, then the classifier."""
    images = f"on {len(load_digits('model'))} images"
    return [
        Training(DENOISER_FOLDER, config.denoiser_fit.steps, f"a denoiser {images}", partial(train_denoiser, config)),
        Training(
            CLASSIFIER_FOLDER, config.classifier_fit.steps, f"a classifier {images}", partial(train_classifier, config)
        ),
    ]


def train_denoiser(
    config: DigitsConfig,
    run: Run | None,
    loop: LoopOptions,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    *,
    digits: Digits | None = None,
    held_out: Digits | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[Denoiser, Fitted[TorchState]]:
    """Train the denoiser of a configuration, or resume its training.

    Args:
        config: architecture, noise levels, optimiser, label dropout.
        run: destination of checkpoints and logs; None writes none.
        loop: number of steps (that of `config`) and intervals of logs and checkpoints.
        seed: of weights, order of the images, levels, noise.
        accelerator: device and precision; the best device by default.
        digits: images of your own with labels; None: the model's part of the digits.
        held_out: those of the logged measures; None: the evaluator's part.
        hooks: called as `hook(step, state, row)` after each log row.

    Returns:
        The model with averaged weights in evaluation mode, and how the training ended.
    """
    schedule = make_schedule(config.denoiser.schedule)
    task = TorchTask(
        lambda: Denoiser(config.denoiser),
        denoiser_loss(schedule, config.label_dropout),
        config.denoiser_fit.optimizer,
        total_steps=config.denoiser_fit.steps,
        accelerator=accelerator,
    )
    return _train(task, config.denoiser_fit, digits, held_out, run, loop, seed, "denoiser", hooks)


def train_classifier(
    config: DigitsConfig,
    run: Run | None,
    loop: LoopOptions,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    *,
    digits: Digits | None = None,
    held_out: Digits | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[NoisyClassifier, Fitted[TorchState]]:
    """Train the guiding classifier, or resume its training; arguments and results as of `train_denoiser`."""
    task = TorchTask(
        lambda: NoisyClassifier(config.classifier),
        classifier_loss(make_schedule(config.classifier.schedule)),
        config.classifier_fit.optimizer,
        total_steps=config.classifier_fit.steps,
        accelerator=accelerator,
    )
    return _train(task, config.classifier_fit, digits, held_out, run, loop, seed, "classifier", hooks)


def _train(
    task: TorchTask,
    config: FitConfig,
    digits: Digits | None,
    held_out: Digits | None,
    run: Run | None,
    loop: LoopOptions,
    seed: int,
    name: str,
    hooks: Sequence[Hook[TorchState]],
) -> tuple[Any, Fitted[TorchState]]:
    digits = load_digits("model") if digits is None else digits
    measured = load_digits("evaluator") if held_out is None else held_out
    accelerator = task.accelerator
    sampler = BatchSampler(len(digits), config.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world)

    def batches(step: int) -> Batch:
        chosen = torch.from_numpy(sampler(step))
        return {"images": digits.images[chosen], "labels": digits.labels[chosen]}

    return fit_averaged(
        task,
        batches,
        loop,
        run,
        seed=seed,
        description=name,
        evaluate=lambda state: _held_out(task, state, measured),
        hooks=hooks,
    )


def _held_out(task: TorchTask, state: TorchState, digits: Digits) -> dict[str, float]:
    """Loss and further logged values of the averaged weights on the evaluator's images."""
    device = task.accelerator.device
    batch = {"images": digits.images.to(device), "labels": digits.labels.to(device)}
    with task.evaluating(state) as model:
        generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
        loss_sum, weight, *more = task.loss(model, batch, generator)
    sums = {"loss": loss_sum, **(more[0] if more else {})}
    return {f"held_out_{name}": float(total) / weight for name, total in sums.items()}
