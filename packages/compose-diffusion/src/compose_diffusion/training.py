"""Training of the digit networks: the denoiser first, then the classifier that can guide it.

One command makes what the package ships:

    onepaper compose-diffusion train --preset laptop-digits --export src/compose_diffusion/weights
"""

import copy
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Int
from onepaper.data import BatchSampler, write_sums
from onepaper.paper import Invocation
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, LoopOptions, fit
from torch import Tensor

from compose_diffusion.config import DigitsConfig, FitConfig, TrainOptions
from compose_diffusion.data import Digits, load_digits
from compose_diffusion.diffusion import NoiseSchedule, add_noise
from compose_diffusion.model import CLASSIFIER_FOLDER, DENOISER_FOLDER, Denoiser, NoisyClassifier, make_schedule

Batch = dict[str, Tensor]
# Sums over a batch, its size, and further sums to log.
LossSums = tuple[Tensor, int] | tuple[Tensor, int, dict[str, Tensor]]

# The noise that held-out losses are measured with, the same at every evaluation.
EVALUATION_SEED = 0


def withhold_labels(
    labels: Int[Tensor, " batch"], null_label: int, share: float, generator: torch.Generator
) -> Int[Tensor, " batch"]:
    """Replace that share of the labels, at random, by the null label."""
    withheld = torch.rand(labels.shape, generator=generator, device=labels.device) < share
    return torch.where(withheld, null_label, labels)


def denoiser_loss(
    schedule: NoiseSchedule, label_dropout: float
) -> Callable[[Denoiser, Batch, torch.Generator], LossSums]:
    r"""$|\hat\epsilon(x_t, t, y) - \epsilon|^2 / D$ at a uniform level, some labels withheld (section 3.1)."""

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


def train_denoiser(
    config: DigitsConfig, run: Run | None, loop: LoopOptions, *, seed: int = 0, accelerator: Accelerator | None = None
) -> tuple[Denoiser, Fitted[TorchState]]:
    """Train, or go on training, the denoiser of a configuration.

    Args:
        config: architecture, noise levels, optimiser, label dropout.
        run: where checkpoints and logs go; None keeps nothing.
        loop: cadence; its number of steps is that of `config`, see `loop_options`.
        seed: of weights, order of the images, levels, noise.
        accelerator: device and precision; the best device by default.

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
    model, fitted = _train(task, config.denoiser_fit, run, loop, seed, "denoiser")
    assert isinstance(model, Denoiser)
    return model, fitted


def train_classifier(
    config: DigitsConfig, run: Run | None, loop: LoopOptions, *, seed: int = 0, accelerator: Accelerator | None = None
) -> tuple[NoisyClassifier, Fitted[TorchState]]:
    """Train, or go on training, the guiding classifier; arguments and results as of `train_denoiser`."""
    task = TorchTask(
        lambda: NoisyClassifier(config.classifier),
        classifier_loss(make_schedule(config.classifier.schedule)),
        config.classifier_fit.optimizer,
        total_steps=config.classifier_fit.steps,
        accelerator=accelerator,
    )
    model, fitted = _train(task, config.classifier_fit, run, loop, seed, "classifier")
    assert isinstance(model, NoisyClassifier)
    return model, fitted


def _train(
    task: TorchTask, config: FitConfig, run: Run | None, loop: LoopOptions, seed: int, name: str
) -> tuple[torch.nn.Module, Fitted[TorchState]]:
    digits, held_out = load_digits("model"), load_digits("evaluator")
    accelerator = task.accelerator
    sampler = BatchSampler(len(digits), config.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world)

    def batches(step: int) -> Batch:
        chosen = torch.from_numpy(sampler(step))
        return {"images": digits.images[chosen], "labels": digits.labels[chosen]}

    fitted = fit(
        task,
        batches,
        loop,
        run,
        seed=seed,
        evaluate=lambda state: _held_out(task, state, held_out),
        processes=accelerator,
        description=name,
    )
    with task.evaluating(fitted.state) as model:
        averaged = copy.deepcopy(model)
    return averaged, fitted


def _held_out(task: TorchTask, state: TorchState, digits: Digits) -> dict[str, float]:
    """The loss, and what is logged with it, of the averaged weights on the evaluator's images."""
    device = task.accelerator.device
    batch = {"images": digits.images.to(device), "labels": digits.labels.to(device)}
    with task.evaluating(state) as model:
        generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
        loss_sum, weight, *more = task.loss(model, batch, generator)
    sums = {"loss": loss_sum, **(more[0] if more else {})}
    return {f"held_out_{name}": float(total) / weight for name, total in sums.items()}


def loop_options(steps: int, options: TrainOptions) -> LoopOptions:
    """The loop's options from the verb's."""
    return LoopOptions(
        steps=steps,
        log_every=options.log_every,
        evaluate_every=options.checkpoint_every,
        checkpoint_every=options.checkpoint_every,
        max_minutes=options.max_minutes,
        resume=options.resume,
    )


def train_verb(call: Invocation) -> int:
    """The `train` verb: both networks into the run folder, each resumable, as `denoiser/` and `classifier/`."""
    config, options = call.config, call.options
    if options.dry_run:
        print(
            f"would train a denoiser for {config.denoiser_fit.steps} steps and a classifier for "
            f"{config.classifier_fit.steps} steps on {len(load_digits('model'))} images"
        )
        return 0
    with (
        Accelerator(options) as accelerator,
        call.open_run(main_process=accelerator.is_main) as run,
    ):
        for name, trainer, fit_config in (
            (DENOISER_FOLDER, train_denoiser, config.denoiser_fit),
            (CLASSIFIER_FOLDER, train_classifier, config.classifier_fit),
        ):
            part = Run(run.folder / name, run.record)
            loop = loop_options(fit_config.steps, options)
            model, fitted = trainer(config, part, loop, seed=options.seed, accelerator=accelerator)
            if not fitted.finished:
                print(f"{name}: stopped at step {fitted.step} of {fit_config.steps}; the same command goes on")
                return 0
            if accelerator.is_main:
                _save(model, name, run.folder, options.export)
                _tell(name, fitted)
        if accelerator.is_main:
            if options.export is not None:
                write_sums(options.export)
            print(f"run folder: {run.folder}")
            print(f"draw from it: onepaper {call.paper.name} sample --all-of 3 --weights {run.folder}")
    return 0


def _save(model: Denoiser | NoisyClassifier, name: str, folder: Path, export: Path | None) -> None:
    for target in (folder, export):
        if target is not None:
            model.save_pretrained(target / name)


def _tell(name: str, fitted: Fitted[TorchState]) -> None:
    numbers = {key.removeprefix("evaluate/"): value for key, value in fitted.metrics.items()}
    shown = ("loss", "held_out_loss", "held_out_accuracy")
    told = ", ".join(f"{key} {numbers[key]:.4g}" for key in shown if key in numbers)
    print(f"{name}: {fitted.step} steps, {told}, {fitted.seconds:.0f} s")
