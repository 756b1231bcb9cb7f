"""A canvas of several models as a file: what stands where, each place an expression of its own.

    {"canvas": [14, 20],
     "regions": [{"expression": "digits[3]", "x": 0, "y": 0},
                 {"expression": "digits[1]", "x": 6, "y": 0}, ...]}

`sample --canvas FILE` draws it; `tapestry.Tapestry` and `tapestry.product_of_crops` are the models behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from onepaper.config import check_choice, check_non_negative, check_positive, from_dict, read_json
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.composition import Expression, Leaf
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.sources import Source
from compose_diffusion.tapestry import Region, Tapestry, product_of_crops

OVERLAPS = ("average", "product")


@dataclass(frozen=True)
class Place:
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
    regions: tuple[Place, ...]
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


class CanvasSource:
    """The canvas as one model, for a `sampling.Request`; see `compose_diffusion.sources.Source`.

    Args:
        layout: what stands where.
        models: the expression of each region.
        wanted: the conditions that each region asks for.
        tile: the source of the regions' models; moves and pictures are its, and so is the judge, region by region.

    Raises:
        UsageError: models of other data than images; as of `Tapestry` and `product_of_crops`.
    """

    def __init__(
        self, layout: Layout, models: Sequence[Expression], wanted: Sequence[Sequence[str]], tile: Source
    ) -> None:
        if len(tile.event_shape) != 3:
            raise UsageError(
                f"a canvas is made of images, but '{layout.regions[0].expression}' has samples of shape "
                f"{list(tile.event_shape)}; use models of images"
            )
        self.layout, self.wanted, self.tile = layout, wanted, tile
        channels, *side = tile.event_shape
        self.side: tuple[int, int] = (side[0], side[1])
        regions = [
            Region(model, place.x, place.y, place.scale) for model, place in zip(models, layout.regions, strict=True)
        ]
        join = Tapestry if layout.overlap == "average" else product_of_crops
        self.expression: Expression = join(regions, layout.canvas, self.side)
        self.schedule: NoiseSchedule = tile.schedule
        self.event_shape: tuple[int, ...] = (channels, *layout.canvas)
        self.dtype: torch.dtype = tile.dtype
        self.moves: Mapping[str, SamplerOptions] = tile.moves
        self.clip_x0: float | None = tile.clip_x0

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """None: a canvas has no name that an expression could mention."""
        raise UsageError("a canvas is not part of an expression, expected expressions as parts of a canvas")

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """As the models' own samples are shown."""
        self.tile.write_picture(x, path)

    def verdicts(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """What the models' judge sees of each region's own wish, for regions of the models' size."""
        found: dict[str, float] = {}
        for place, wanted in zip(self.layout.regions, self.wanted, strict=True):
            if place.scale == 1 and wanted:
                rows, columns = slice(place.y, place.y + self.side[0]), slice(place.x, place.x + self.side[1])
                seen = self.tile.verdicts(x[..., rows, columns], list(wanted))
                found |= {f"at x={place.x}, y={place.y} {name}": share for name, share in seen.items()}
        return found
