"""A canvas of several models as a source: what `sample --canvas` draws from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.algebra.canvas import Layout
from compose_diffusion.algebra.composition import Expression, Leaf
from compose_diffusion.algebra.tapestry import Region, Tapestry, product_of_crops
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.sources.registry import Source


class CanvasSource:
    """The canvas as one model, for a `sampling.Request`; see `compose_diffusion.sources.registry.Source`.

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
        self.schedule: NoiseSchedule = tile.schedule
        self.event_shape: tuple[int, ...] = (channels, *layout.canvas)
        self.dtype: torch.dtype = tile.dtype
        self.kernel_defaults: Mapping[str, SamplerOptions] = tile.kernel_defaults
        self.clip_x0: float | None = tile.clip_x0

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
