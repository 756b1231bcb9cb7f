"""A canvas of several models, read from JSON: regions with an expression each; what `sample --canvas` draws from.

{"canvas": [14, 20],
 "regions": [{"expression": "digits[3]", "x": 0, "y": 0},
             {"expression": "digits[1]", "x": 6, "y": 0}, ...]}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxtyping import Float
from onepaper.config import check_choice, check_non_negative, check_positive, from_dict, read_json
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, Leaf
from compose_diffusion.algebra.tapestry import Region, Tapestry, product_of_crops
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.sources.source import Source

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


class CanvasSource(Source):
    """The canvas as one model.

    Args:
        layout: regions and size of the canvas.
        models: the expression of each region.
        wanted: the requested conditions of each region.
        tile: the source of the regions' models; provides samplers, pictures, and the evaluation of each region.

    Raises:
        UsageError: models of data other than images; as of `Tapestry` and `product_of_crops`.
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
            Region(model, region.x, region.y, region.scale)
            for model, region in zip(models, layout.regions, strict=True)
        ]
        join = Tapestry if layout.overlap == "average" else product_of_crops
        self.expression: Expression = join(regions, layout.canvas, self.side)
        self.schedule = tile.schedule
        self.event_shape = (channels, *layout.canvas)
        self.dtype = tile.dtype
        self.kernel_defaults = tile.kernel_defaults
        self.clip_x0 = tile.clip_x0

    def leaf(self, condition: str | None, schedule: NoiseSchedule) -> Leaf:
        """Not available: a canvas has no name in expressions."""
        raise UsageError("a canvas is not part of an expression, expected expressions as parts of a canvas")

    def write_picture(self, x: Float[Tensor, "batch *event"], path: Path) -> None:
        """The picture of the regions' source."""
        self.tile.write_picture(x, path)

    def attribute_accuracy(self, x: Float[Tensor, "batch *event"], conditions: list[str]) -> dict[str, float]:
        """Attribute accuracy of each region of scale 1, by the evaluator of the regions' source."""
        found: dict[str, float] = {}
        for region, wanted in zip(self.layout.regions, self.wanted, strict=True):
            if region.scale == 1 and wanted:
                rows, columns = slice(region.y, region.y + self.side[0]), slice(region.x, region.x + self.side[1])
                seen = self.tile.attribute_accuracy(x[..., rows, columns], list(wanted))
                found |= {f"at x={region.x}, y={region.y} {name}": fraction for name, fraction in seen.items()}
        return found
