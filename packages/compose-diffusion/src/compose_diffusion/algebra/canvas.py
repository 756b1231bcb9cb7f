"""A canvas of several models as a file: what stands where, each place an expression of its own.

    {"canvas": [14, 20],
     "regions": [{"expression": "digits[3]", "x": 0, "y": 0},
                 {"expression": "digits[1]", "x": 6, "y": 0}, ...]}

`sample --canvas FILE` draws it; `tapestry.Tapestry` and `tapestry.product_of_crops` are the models behind it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_choice, check_non_negative, check_positive, from_dict, read_json
from onepaper.errors import UsageError

OVERLAPS = ("average", "product")


@dataclass(frozen=True)
class CanvasRegion:
    """A window of the canvas; see `tapestry.Region`."""

    expression: str
    """what is asked for there, as `sample` reads it"""
    x: int
    """column of the top left pixel (of a latent, for pipelines that have latents)"""
    y: int
    """row of it"""
    scale: int = 1
    """side of the window in tiles of the model's size"""

    def __post_init__(self) -> None:
        if not self.expression.strip():
            raise UsageError("a region's expression is empty, expected what to draw there, e.g. 'digits[3]'")
        check_non_negative("region x", self.x)
        check_non_negative("region y", self.y)
        check_positive("region scale", self.scale)


@dataclass(frozen=True)
class Layout:
    """A canvas and its regions."""

    canvas: tuple[int, int]
    """height and width in pixels (of a latent, for pipelines that have latents)"""
    regions: tuple[CanvasRegion, ...]
    overlap: Literal["average", "product"] = "average"
    """noise predictions averaged pixel by pixel, as in the official tapestries, or densities multiplied"""

    def __post_init__(self) -> None:
        for side in self.canvas:
            check_positive("side of the canvas", side)
        check_choice("overlap", self.overlap, OVERLAPS)
        if not self.regions:
            raise UsageError(
                "regions is empty, expected at least one, e.g. {'expression': 'digits[3]', 'x': 0, 'y': 0}"
            )


def read_layout(path: Path) -> Layout:
    """Read a layout from a JSON file.

    Raises:
        UsageError: no such file, no JSON, or what is wrong with a field of it.
    """
    return from_dict(Layout, read_json(path, "layout"), str(path))
