"""Names of expressions: a source returns a leaf for `NAME[CONDITION]`.

The `sample` verb parses an expression, gets a leaf from the source of each name, samples, and uses the source of the
first name to make a picture. There are sources for the toy's distributions, digits, canvases, and external models.
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
        schedule: the noise levels of its models.
        event_shape: of one sample, without the batch axis.
        dtype: of samples.
        kernel_defaults: kernel ("ula", "mala", "uhmc", "hmc") -> default step sizes and numbers of steps.
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
            UsageError: a condition that is not valid for these models.
        """
        ...

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """Write a picture of the samples as a PNG."""
        ...

    def attribute_accuracy(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """Fractions of samples with requested attributes, by name, as found by an independent evaluator; empty without
        one.

        Args:
            conditions: to evaluate; the wanted ones, or in another call the unwanted ones.
        """
        ...


# Name -> `module:function` of (weights folder or None, device), imported when used, for a short start-up.
TRAINED: Mapping[str, str] = {
    "digits": "compose_diffusion.sources.digits:DigitsSource",
    "positions": "compose_diffusion.sources.positions:open_positions",
}
# Expression name -> distribution name; '-' is an operator in expressions.
EXACT: Mapping[str, str] = {name.replace("-", "_"): name for name in DISTRIBUTIONS}
_EXACT_SOURCE = "compose_diffusion.sources.toy:ToySource"
_OPEN_PATH = "compose_diffusion.sources.pipelines:open_source"


def parse_paths(given: Iterable[str]) -> dict[str, Path]:
    """`NAME=PATH` texts as paths by name.

    Raises:
        UsageError: not of that form, a name that is not an identifier or is already defined.
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
        name: a built-in name, or a key of `paths`.
        paths: models outside the package: a diffusers pipeline's folder, or a checkpoint.
        weights: folder of a training run for the names in `TRAINED`; by default the shipped weights.
        device: of the models.

    Raises:
        UsageError: an unknown name (the message has the most similar one), or a path that cannot be opened.
    """
    if name in paths:
        return resolve(_OPEN_PATH)(paths[name], device)
    if name in TRAINED:
        return resolve(TRAINED[name])(weights, device)
    if name in EXACT:
        return resolve(_EXACT_SOURCE)(EXACT[name], device)
    raise UsageError(f"{unknown('model', name, [*paths, *TRAINED, *EXACT])}; add your own by --leaf {name}=PATH")
