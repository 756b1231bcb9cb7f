"""One training of the `train` verb: a network that is trained, resumed and saved in the same way as all others."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions, fit


@runtime_checkable
class Pretrained(Protocol):
    """A network that can be written as a folder of `model.safetensors` and `config.json`."""

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder."""
        ...


# (run, loop, seed, accelerator) -> the network with averaged weights, and how its training ended.
Fit = Callable[[Run | None, LoopOptions, int, Accelerator], tuple[Pretrained, Fitted[TorchState]]]


@dataclass(frozen=True)
class Training:
    """One network of a configuration.

    Attributes:
        name: name of its folder below that of the run or of the export.
        steps: updates in all.
        description: what is trained, for `--dry-run`, e.g. "a denoiser on 1198 images".
        fit: trains the network or resumes its training.
    """

    name: str
    steps: int
    description: str
    fit: Fit


def fit_averaged(
    task: TorchTask,
    batches: Callable[[int], Any],
    loop: LoopOptions,
    run: Run | None,
    *,
    seed: int,
    description: str,
    evaluate: Callable[[TorchState], dict[str, float]] | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> tuple[Any, Fitted[TorchState]]:
    """Run the training loop of a task.

    Args:
        task: network, loss and optimiser.
        batches: step -> batch of this process.
        loop: number of steps and intervals of logs and checkpoints.
        run: destination of checkpoints and logs; None writes none.
        seed: of weights and losses.
        description: of the progress bar.
        evaluate: held-out measures of a state.
        hooks: called as `hook(step, state, row)` after each log row.

    Returns:
        A copy of the network with averaged weights in evaluation mode, and how the training ended.
    """
    fitted = fit(
        task,
        batches,
        loop,
        run,
        seed=seed,
        evaluate=evaluate,
        hooks=hooks,
        processes=task.accelerator,
        description=description,
    )
    with task.evaluating(fitted.state) as model:
        return copy.deepcopy(model), fitted
