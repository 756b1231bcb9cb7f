"""Folders of pretrained weights by name: those that ship with a package, and those of the user's trainings."""

import importlib.resources
from pathlib import Path

from onepaper.checkpoints import CONFIG_NAME
from onepaper.config import unknown
from onepaper.errors import OnePaperError, UsageError

PRETRAINED_FOLDER = "pretrained"


def shipped_weights(package: str) -> dict[str, Path]:
    """Name -> folder of the weights in `assets/weights/` of an installed package (`weights/` if it has no `assets/`).

    Raises:
        OnePaperError: the package is not installed.
    """
    try:
        root = Path(str(importlib.resources.files(package)))
    except ModuleNotFoundError:
        raise OnePaperError(f"package '{package}' is not installed; it ships the weights") from None
    folder = (root / "assets" if (root / "assets").is_dir() else root) / "weights"
    return {path.name: path for path in sorted(folder.glob("*")) if path.is_dir()}


def find_weights(name: str | Path, package: str) -> Path:
    """The folder of the weights called `name`.

    In this order: a path to a folder of weights, to the folder of a training run (its `pretrained/` is taken), or the
    name of weights that ship with the package.

    Args:
        name: path or name.
        package: import name of the package that ships weights.

    Raises:
        UsageError: none of these; the message suggests the nearest shipped name.
    """
    path, shipped = Path(name), shipped_weights(package)
    if not path.is_dir() and str(name) in shipped:
        return shipped[str(name)]
    if not path.is_dir():
        raise UsageError(f"{unknown('weights', str(name), shipped)} (or give the folder of a training run)")
    inner = path / PRETRAINED_FOLDER
    return inner if inner.is_dir() and not (path / CONFIG_NAME).is_file() else path
