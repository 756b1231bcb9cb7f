"""Canvases larger than the models: regions, each with a model and a condition of its own (paper, tapestries).

There are two ways to combine models of a tile into a model of the canvas.

- `Tapestry`, as in the official tapestry notebook: windows of the canvas are resized to the model's size by picking the
  nearest pixels, evaluated, and resized back; each pixel's noise prediction is the mean over the windows that contain
  it, weighted by 1 / scale^2 and a fall-off towards the window's edge. This is not the score of a density: with weights
  that vary over the canvas the field is not a gradient. There is no energy, and with line integrals the Metropolis
  test of MALA and HMC depends on the path, so it is a heuristic.
- `Crop`: L(x) = L_model(crop of x). This is a density of the cropped pixels, so it composes like any leaf, with an
  energy where the model has one; a product of crops is a density, to which overlapping crops both contribute. Only for
  windows of the model's own size: with resized windows, the skipped pixels would have no density.

Noise (of the start, of reverse steps and of MCMC steps) is drawn for the canvas, so overlapping regions share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from onepaper.config import check_non_negative, check_positive
from onepaper.errors import UsageError
from torch import Tensor, nn

from compose_diffusion.algebra.composition import Evaluation, Expression, Leaf, WeightedProduct, product
from compose_diffusion.diffusion import NoiseSchedule, score_from_noise

# Fraction of a tile's side over which weights fall off, and weight of the outermost pixels (official tapestry
# notebook).
EDGE = 6 / 32
EDGE_WEIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class Region:
    """A window of the canvas and its model.

    Attributes:
        model: a leaf or any expression of models of the tile's size.
        x: column of the window's top left pixel.
        y: row of it.
        scale: side of the window in tiles; it is subsampled to the size of a tile.
    """

    model: Expression
    x: int
    y: int
    scale: int = 1

    def __post_init__(self) -> None:
        check_non_negative("region x", self.x)
        check_non_negative("region y", self.y)
        check_positive("region scale", self.scale)


def grid_of_regions(models: Sequence[Sequence[Expression]], stride: int) -> list[Region]:
    """Regions of scale 1, row by row, each `stride` pixels from its neighbours."""
    check_positive("stride", stride)
    return [
        Region(model, column * stride, row * stride)
        for row, line in enumerate(models)
        for column, model in enumerate(line)
    ]


class Crop(Leaf):
    """A model of a tile's size as a model of those pixels of a canvas: L(x) = L_model(crop of x), 0 elsewhere.

    It does not constrain the rest of the canvas; compose it with a model of the whole canvas, or with crops that cover
    the rest.

    Args:
        region: the window and its model; of scale 1.
        canvas: height and width of the canvas in pixels.
        tile: height and width that the model takes.

    Raises:
        UsageError: the window leaves the canvas, its scale is not 1, or its models are of different noise levels.
    """

    def __init__(self, region: Region, canvas: tuple[int, int], tile: tuple[int, int]) -> None:
        if region.scale > 1:
            raise UsageError(
                f"crop at x={region.x}, y={region.y} has scale {region.scale}, expected 1: the pixels between those "
                "picked would have no density; use a Tapestry"
            )
        self.region, self.canvas, self.tile = region, canvas, tile
        self.schedule = _common_schedule([region])
        self.window = _window(region, canvas, tile)

    @property
    def has_energy(self) -> bool:
        """Whether the model has one."""
        return self.region.model.has_energy

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """The model's log density of the crop; score and noise prediction, 0 outside it.

        Args:
            x: [batch, channels, *canvas].
            t: noise level.
            energy: whether the log density is wanted.

        Raises:
            UsageError: x is not of the canvas's size.
        """
        _check_canvas(x, self.canvas)
        part = self.region.model.evaluate(x[self.window], t, energy=energy)
        score, noise = torch.zeros_like(x), torch.zeros_like(x)
        score[self.window] = part.score
        noise[self.window] = part.predicted_noise(t, cast(NoiseSchedule, self.schedule))
        return Evaluation(part.log_density, score, noise)

    @property
    def networks(self) -> list[nn.Module]:
        """Those of its model."""
        return _networks([self.region])


def product_of_crops(regions: Sequence[Region], canvas: tuple[int, int], tile: tuple[int, int]) -> WeightedProduct:
    """sum_r L_r(crop_r x): a density of the canvas, with an energy where all models have one.

    Raises:
        UsageError: as of `Crop`, or pixels of the canvas that lie in no region.
    """
    crops = [Crop(region, canvas, tile) for region in regions]
    _check_covered([crop.window for crop in crops], canvas)
    return product(*crops)


class Tapestry(Leaf):
    """Regions of any scale as one model of a canvas, their noise predictions averaged pixel by pixel.

    Args:
        regions: windows that cover the canvas together.
        canvas: height and width of the canvas in pixels.
        tile: height and width that the models take.

    Raises:
        UsageError: no region, a region that leaves the canvas, pixels in no region, or models of different noise
            levels.
    """

    def __init__(self, regions: Sequence[Region], canvas: tuple[int, int], tile: tuple[int, int]) -> None:
        self.regions = tuple(regions)
        self.canvas, self.tile = canvas, tile
        self.schedule = _common_schedule(self.regions)
        self._windows = [_window(region, canvas, tile) for region in self.regions]
        _check_covered(self._windows, canvas)
        weights = [_weights(tile, region.scale) for region in self.regions]
        total = torch.zeros(1, 1, *canvas, dtype=torch.float64)
        for window, weight in zip(self._windows, weights, strict=True):
            total[window] += weight
        self._fractions = [weight / total[window] for window, weight in zip(self._windows, weights, strict=True)]

    @property
    def has_energy(self) -> bool:
        """Never: a weighted average of scores is not a score."""
        return False

    def evaluate(self, x: Tensor, t: int, *, energy: bool = True) -> Evaluation:
        """Averaged noise prediction, and the corresponding score.

        Args:
            x: [batch, channels, *canvas].
            t: noise level.
            energy: ignored.

        Raises:
            UsageError: x is not of the canvas's size.
        """
        _check_canvas(x, self.canvas)
        schedule = cast(NoiseSchedule, self.schedule)
        noise = torch.zeros_like(x)
        for region, window, fraction in zip(self.regions, self._windows, self._fractions, strict=True):
            seen = x[window] if region.scale == 1 else F.interpolate(x[window], self.tile, mode="nearest")
            predicted = region.model.evaluate(seen, t, energy=False).predicted_noise(t, schedule)
            if region.scale > 1:
                predicted = F.interpolate(predicted, scale_factor=float(region.scale), mode="nearest")
            noise[window] += fraction.to(x) * predicted
        return Evaluation(None, score_from_noise(noise, t, schedule), noise)

    @property
    def networks(self) -> list[nn.Module]:
        """Those of the models of all regions, each once."""
        return _networks(self.regions)


def _networks(regions: Sequence[Region]) -> list[nn.Module]:
    found = [network for region in regions for leaf in region.model.leaves() for network in leaf.networks]
    return list(dict.fromkeys(found))


def _window(region: Region, canvas: tuple[int, int], tile: tuple[int, int]) -> tuple[slice, ...]:
    """Index of the region's pixels in [batch, channels, height, width]."""
    bottom, right = region.y + tile[0] * region.scale, region.x + tile[1] * region.scale
    if bottom > canvas[0] or right > canvas[1]:
        raise UsageError(
            f"region at x={region.x}, y={region.y} with scale {region.scale} ends at x={right}, y={bottom}, expected "
            f"it inside the canvas of height {canvas[0]} and width {canvas[1]}"
        )
    return slice(None), slice(None), slice(region.y, bottom), slice(region.x, right)


def _check_covered(windows: Sequence[tuple[slice, ...]], canvas: tuple[int, int]) -> None:
    covered = torch.zeros(1, 1, *canvas, dtype=torch.bool)
    for window in windows:
        covered[window] = True
    if not bool(covered.all()):
        missing = (~covered[0, 0]).nonzero()
        raise UsageError(
            f"{len(missing)} pixels of the canvas lie in no region, the first at x={int(missing[0, 1])}, "
            f"y={int(missing[0, 0])}; add regions until all are covered"
        )


def _check_canvas(x: Tensor, canvas: tuple[int, int]) -> None:
    if x.ndim != 4 or tuple(x.shape[2:]) != tuple(canvas):
        raise UsageError(
            f"samples have shape {tuple(x.shape)}, expected [batch, channels, {canvas[0]}, {canvas[1]}], the canvas "
            "that the regions were laid out on"
        )


def _weights(tile: tuple[int, int], scale: int) -> Float[Tensor, "height width"]:
    """1 / scale^2, falling off towards the edges: distance in pixels of the tile, cut at `EDGE` of its side."""

    def along(side: int) -> Tensor:
        pixel = torch.arange(side, dtype=torch.float64)
        cut = max(EDGE * side, 1.0)
        return torch.minimum(pixel, side - 1 - pixel).clamp(max=cut) / cut

    rows, columns = (along(side) for side in tile)
    weights = torch.minimum(rows[:, None], columns[None, :]) + EDGE_WEIGHT
    return weights.repeat_interleave(scale, 0).repeat_interleave(scale, 1) / scale**2


def _common_schedule(regions: Sequence[Region]) -> NoiseSchedule:
    """The noise levels of all models."""
    schedules = [leaf.schedule for region in regions for leaf in region.model.leaves() if leaf.schedule is not None]
    if not schedules:
        raise UsageError(
            f"tapestry of {len(regions)} regions has no model with noise levels, expected at least one; give leaves a "
            "schedule"
        )
    for other in schedules[1:]:
        if other is not schedules[0] and not other.same_levels(schedules[0]):
            raise UsageError(
                f"regions have models for {len(schedules[0])} and {len(other)} noise levels that differ, expected "
                "the same; give every leaf the sampler's schedule and timesteps=own_schedule.nearest_levels(schedule)"
            )
    return schedules[0]
