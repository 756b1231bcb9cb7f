"""Settings of a network compared with the weights beside them, before the network is built.

A few damaged bytes of settings can describe a network of terabytes, or of a thousand million layers.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from onepaper.config import shortened
from onepaper.errors import UsageError

MOST_LEVELS = 1_000_000


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors in a file of safetensors; only its header is read.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is damaged or no safetensors file ({error})") from error


def check_repeats(path: Path, settings: Mapping[str, Any], most: int, reason: str) -> None:
    """Refuse settings that repeat a part of a network more than `most` times, at any depth of the settings.

    Args:
        path: file of the settings, for the message.
        settings: as read from JSON.
        most: the largest number that is possible.
        reason: why it is, for the message.

    Raises:
        UsageError: such a setting.
    """
    _check(path, settings, "layers|blocks|depth|repeat", most, f"but {reason}")


def check_levels(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse settings of more than a million levels of noise, at any depth of the settings.

    Raises:
        UsageError: such a setting.
    """
    _check(path, settings, "levels", MOST_LEVELS, f"expected at most {MOST_LEVELS:,}")


def check_axes(path: Path, settings: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a vocabulary or a number of bins above the longest axis of the weights, at any depth of the settings.

    Raises:
        UsageError: such a setting.
    """
    longest = max((size for shape in shapes.values() for size in shape), default=0)
    _check(path, settings, "vocab|bins", longest, f"but no axis of the weights is longer than {longest:,}")


def _check(path: Path, settings: Mapping[str, Any], names: str, most: int, reason: str) -> None:
    """Refuse a number above `most` in a setting whose name has one of `names` in it."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _check(path, value, names, most, reason)
        elif re.search(names, name) and any(number > most for number in _numbers(value)):
            raise UsageError(f"{path}: {name} is {shortened(value)}, {reason}")


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in a value of JSON."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value
