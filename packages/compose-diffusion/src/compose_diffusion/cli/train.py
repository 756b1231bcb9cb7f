"""The `train` verb: train the networks of a configuration one after the other; each can be resumed.

This command makes the shipped weights of the digits:

    onepaper compose-diffusion train --preset laptop-digits --export src/compose_diffusion/assets/weights/digits
"""

import time

from onepaper.data import write_sums
from onepaper.paper import Invocation, resolve
from onepaper.runs import Run, check_writable
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState
from onepaper.training import Fitted, LoopOptions

from compose_diffusion.cli.options import RECIPES, TrainOptions
from compose_diffusion.training.network_training import Training


def loop_options(steps: int, options: TrainOptions, max_minutes: float) -> LoopOptions:
    """Options of the training loop of one network, which may take `max_minutes`; 0 sets no limit."""
    return LoopOptions(
        steps=steps,
        log_every=options.log_every,
        evaluate_every=options.checkpoint_every,
        checkpoint_every=options.checkpoint_every,
        max_minutes=max_minutes,
        resume=options.resume,
    )


def train_verb(call: Invocation) -> int:
    """Train every network of the configuration into a folder of its name below the run folder.

    `--max-minutes` is the time of all: each network may take an equal share of what is left, and saves its weights
    whether or not it is finished.
    """
    options: TrainOptions = call.options
    recipe = RECIPES[type(call.config)]
    trainings: list[Training] = resolve(recipe.trainings)(call.config)
    if options.dry_run:
        for training in trainings:
            print(f"would train {training.description} for {training.steps} steps")
        return 0
    if options.export is not None:
        check_writable(options.export, "--export")
    with (
        Accelerator(options) as accelerator,
        call.open_run(main_process=accelerator.is_main) as run,
    ):
        begun = time.monotonic()
        unfinished: list[str] = []
        for index, training in enumerate(trainings):
            part = Run(run.folder / training.name, run.record)
            share = _share(options.max_minutes, time.monotonic() - begun, len(trainings) - index)
            loop = loop_options(training.steps, options, share)
            model, fitted = training.fit(part, loop, options.seed, accelerator)
            if not fitted.finished:
                unfinished.append(training.name)
            if accelerator.is_main:
                for folder in (run.folder, options.export):
                    if folder is not None:
                        model.save_pretrained(folder / training.name)
                stopped = (
                    "" if fitted.finished else f"stopped at step {fitted.step} of {training.steps}, weights saved; "
                )
                print(f"{training.name}: {stopped}{_summary(fitted)}")
        if accelerator.is_main:
            if options.export is not None:
                write_sums(options.export)
            print(f"run folder: {run.folder}")
            if unfinished:
                print(f"not finished: {', '.join(unfinished)}; the same command goes on with them")
            print(f"next: onepaper {call.paper.name} {recipe.next_command.format(folder=run.folder)}")
    return 0


def _share(max_minutes: float, seconds: float, networks: int) -> float:
    """Minutes of the next network after `seconds` of all; 0 for no limit, and above 0 when the time is over."""
    if max_minutes == 0:
        return 0.0
    return max(max_minutes - seconds / 60, 1e-6) / networks


def _summary(fitted: Fitted[TorchState]) -> str:
    """Losses, held-out measures and time of a training."""
    numbers = {key.removeprefix("evaluate/"): value for key, value in fitted.metrics.items()}
    losses = ", ".join(f"{key} {value:.4g}" for key, value in numbers.items() if key == "loss" or "held_out" in key)
    return f"{fitted.step} steps, {losses}, {fitted.seconds:.0f} s"
