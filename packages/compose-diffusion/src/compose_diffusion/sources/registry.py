"""Where the names of an expression come from: a source turns `NAME[CONDITION]` into a leaf.

The `sample` verb parses an expression, asks the source of each name for a leaf, draws, and lets the source of the first
name make a picture. The sources are the toy's distributions, the digits, their positions, and files of other models.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from onepaper.config import unknown
from onepaper.errors import UsageError
from onepaper.paper import resolve
from torch import Tensor

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import DISTRIBUTIONS
from compose_diffusion.diffusion import NoiseSchedule


@runtime_checkable
class Source(Protocol):
    """Models of one kind of data, on one schedule.

    Attributes:
        schedule: the noise levels its models were made for.
        event_shape: of one sample, without the batch axis.
        dtype: that samples are drawn in.
        kernel_defaults: kernel ("ula", "mala", "uhmc", "hmc") -> step sizes and counts that suit these models.
        clip_x0: bound on the clean estimate of reverse steps, None for no bound.
    """

    schedule: NoiseSchedule
    event_shape: tuple[int, ...]
    dtype: torch.dtype
    kernel_defaults: Mapping[str, SamplerOptions]
    clip_x0: float | None

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """The model given a condition (the text between the brackets; None without brackets), on `schedule`.

        Raises:
            UsageError: a condition that these models do not know, naming it and what they know.
        """
        ...

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """What the samples look like, as a PNG."""
        ...

    def attribute_accuracy(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """What an independent judge sees in the samples, by name; empty where there is none.

        Args:
            conditions: those that are asked about, in order: the wanted ones, and in another call the unwanted.
        """
        ...


# Name -> what opens it, called with (weights folder or None, device); by name, for the sources lie above this module.
TRAINED: Mapping[str, str] = {
    "digits": "compose_diffusion.sources.digits:DigitsSource",
    "positions": "compose_diffusion.sources.positions:open_positions",
}
# Expression name -> distribution; '-' is the language's minus.
EXACT: Mapping[str, str] = {name.replace("-", "_"): name for name in DISTRIBUTIONS}
_EXACT_SOURCE = "compose_diffusion.sources.toy:ToySource"
_OPEN_PATH = "compose_diffusion.sources.pipelines:open_source"


def parse_paths(given: Iterable[str]) -> dict[str, Path]:
    """`NAME=PATH` texts as paths by name.

    Raises:
        UsageError: not of that form, a name that an expression cannot hold or that is taken.
    """
    paths: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (equals and path and name.isidentifier()):
            raise UsageError(f"--leaf {text} is not NAME=PATH, expected e.g. --leaf mine=runs/my-pipeline")
        if name in paths or name in TRAINED or name in EXACT:
            taken = "was given twice" if name in paths else "is built in"
            raise UsageError(f"--leaf name '{name}' {taken}; choose another name")
        paths[name] = Path(path)
    return paths


def open_source(name: str, paths: Mapping[str, Path], weights: Path | None, device: torch.device) -> Source:
    """The source of a name.

    Args:
        name: built in, or a key of `paths`.
        paths: models outside the package: a diffusers pipeline's folder, or a checkpoint.
        weights: the folder of a training run for the names in `TRAINED`; by default the shipped weights.
        device: where the models go.

    Raises:
        UsageError: an unknown name (the message has the nearest), or what stands at its path cannot be opened.
    """
    if name in paths:
        return resolve(_OPEN_PATH)(paths[name], device)
    if name in TRAINED:
        return resolve(TRAINED[name])(weights, device)
    if name in EXACT:
        return resolve(_EXACT_SOURCE)(EXACT[name], device)
    raise UsageError(f"{unknown('model', name, [*paths, *TRAINED, *EXACT])}; add your own by --leaf {name}=PATH")
