"""Names of expressions, and the sources behind them.

The `sample` verb parses an expression, gets a leaf from the source of each name, samples, and uses the source of the
first name to make a picture. There are sources for the toy's distributions, digits, canvases, and external models.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from onepaper.config import unknown
from onepaper.errors import UsageError
from onepaper.paper import resolve

from compose_diffusion.data.distributions import DISTRIBUTIONS
from compose_diffusion.sources.builtin import DigitsSource, PositionsSource, ToySource
from compose_diffusion.sources.source import Source

# Name -> source of (weights folder or None, device).
TRAINED: Mapping[str, Callable[[Path | None, torch.device], Source]] = {
    "digits": DigitsSource,
    "positions": PositionsSource,
}
# Expression name -> distribution name; '-' is an operator in expressions.
EXACT: Mapping[str, str] = {name.replace("-", "_"): name for name in DISTRIBUTIONS}
# Imported when used, because diffusers takes seconds to import.
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
        return TRAINED[name](weights, device)
    if name in EXACT:
        return ToySource(EXACT[name], device)
    raise UsageError(f"{unknown('model', name, [*paths, *TRAINED, *EXACT])}; add your own by --leaf {name}=PATH")
