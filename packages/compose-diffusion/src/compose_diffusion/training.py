"""Training of the digit networks: the denoiser first, then the classifier that can guide it.

One command makes what the package ships:

    onepaper compose-diffusion train --preset laptop-digits --export src/compose_diffusion/weights
"""

from pathlib import Path

from onepaper.data import write_sums
from onepaper.paper import Invocation
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState
from onepaper.training import Fitted, LoopOptions

from compose_diffusion.config import TrainOptions
from compose_diffusion.digits.data import load_digits
from compose_diffusion.digits.model import CLASSIFIER_FOLDER, DENOISER_FOLDER, Denoiser, NoisyClassifier
from compose_diffusion.digits.training import train_classifier, train_denoiser


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
