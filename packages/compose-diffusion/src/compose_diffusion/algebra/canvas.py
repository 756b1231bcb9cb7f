"""Layout of a canvas of several models, read from JSON: regions with an expression each.

    {"canvas": [14, 20],
     "regions": [{"expression": "digits[3]", "x": 0, "y": 0},
                 {"expression": "digits[1]", "x": 6, "y": 0}, ...]}

`sample --canvas FILE` draws it, by `tapestry.Tapestry` or `tapestry.product_of_crops`.
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
    """expression of the region, in the syntax of `sample`"""
    x: int
    """column of the top left pixel (of a latent, for pipelines that have latents)"""
    y: int
    """row of it"""
    scale: int = 1
    """side of the window in tiles of the model's size"""

    def __post_init__(self) -> None:
        if not self.expression.strip():
            raise UsageError("a region's expression is empty, expected an expression, e.g. 'digits[3]'")
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
    """average: mean of the noise predictions at each pixel, as in the official notebook; product: product of
    densities"""

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
        UsageError: no such file, invalid JSON, or an invalid field.
    """
    return from_dict(Layout, read_json(path, "layout"), str(path))
