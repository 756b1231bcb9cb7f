"""What the trainings of the `train` verb share: noised batches, a classifier's loss, the loop, held-out measures."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Fitted, Hook, LoopOptions, fit
from torch import Tensor

from compose_diffusion.diffusion import NoiseSchedule, add_noise

Batch = dict[str, Tensor]
# Seed of the noise of held-out losses, the same at every evaluation.
EVALUATION_SEED = 0


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


def noised_batch(points: Tensor, schedule: NoiseSchedule, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Points or images noised to uniformly drawn levels, the noise, the levels."""
    t = torch.randint(len(schedule), (len(points),), generator=generator, device=points.device)
    noise = torch.randn(points.shape, generator=generator, device=points.device)
    return add_noise(points, noise, t, schedule), noise, t


def class_loss(schedule: NoiseSchedule) -> Callable[..., tuple[Tensor, int, dict[str, Tensor]]]:
    r"""$-\log p(y | x_t, t)$ at a uniformly drawn level; logs the accuracy over all levels too."""

    def loss(model: Any, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int, dict[str, Tensor]]:
        images, _, t = noised_batch(batch["images"], schedule, generator)
        logits = model(images, t)
        correct = (logits.argmax(dim=1) == batch["condition"]).sum()
        return F.cross_entropy(logits, batch["condition"], reduction="sum"), len(logits), {"accuracy": correct}

    return loss


def fit_averaged(
    task: TorchTask,
    batches: Callable[[int], Any],
    loop: LoopOptions,
    run: Run | None,
    *,
    seed: int,
    description: str,
    held_out: Batch | None = None,
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
        held_out: a batch on which the averaged weights are measured.
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
        evaluate=None if held_out is None else lambda state: _measured(task, state, held_out),
        processes=task.accelerator,
        description=description,
        hooks=hooks,
    )
    with task.evaluating(fitted.state) as model:
        return copy.deepcopy(model), fitted


def _measured(task: TorchTask, state: TorchState, held_out: Batch) -> dict[str, float]:
    """Loss, and what the loss logs beside it, of the averaged weights."""
    device = task.accelerator.device
    with task.evaluating(state) as model:
        batch = {name: values.to(device) for name, values in held_out.items()}
        loss_sum, weight, *more = task.loss(model, batch, torch.Generator(device).manual_seed(EVALUATION_SEED))
    sums = {"loss": loss_sum, **(more[0] if more else {})}
    return {f"held_out_{name}": float(total) / weight for name, total in sums.items()}
