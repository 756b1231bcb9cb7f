"""One training of the `train` verb: a network that is trained, resumed and saved in the same way as all others."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState
from onepaper.training import Fitted, LoopOptions


@runtime_checkable
class Pretrained(Protocol):
    """A network that can be written as a folder of `model.safetensors` and `config.json`."""

    def save_pretrained(self, folder: Path) -> Path:
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
