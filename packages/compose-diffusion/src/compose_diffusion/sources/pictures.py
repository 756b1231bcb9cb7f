"""Pictures of samples as files."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from onepaper.display.file_bytes import figure_png, tile_pictures
from onepaper.display.plots import FONT, SAMPLES, SMALL_FONT, ordered_colors, style_axes
from onepaper.runs import write_atomic
from torch import Tensor

# Screen pixels per image pixel, and between images.
ENLARGEMENT = 8
GAP = 4
# Size and resolution of a scatter plot.
INCHES, DOTS_PER_INCH = 4.0, 160
# Contours below the maximum of the log density, in nats, and the grid on which it is computed.
CONTOURS, CONTOUR_POINTS = (-6.0, -4.0, -2.0, -0.5), 120

LogDensity = Callable[[Tensor], Tensor]


def image_grid(
    images: Float[Tensor, "count 1 height width"], columns: int | None = None
) -> UInt8[np.ndarray, "rows columns"]:
    """Images in [-1, 1] in a grid, as one grey picture with dark ink, enlarged without interpolation.

    Args:
        images: at least one.
        columns: images in a row; about twice the number of rows if absent.
    """
    columns = columns or max(10, math.ceil(math.sqrt(2 * len(images))))
    ink = (images.detach().cpu().double().clamp(-1, 1).numpy() + 1) / 2
    return tile_pictures(np.round(255 * (1 - ink[:, 0])).astype(np.uint8), columns, gap=GAP, scale=ENLARGEMENT)


def tiles(
    images: Float[Tensor, "count channels height width"], columns: int, scale: int = 1
) -> UInt8[np.ndarray, "rows columns channels"]:
    """Images in [-1, 1] with 1 (grey) or 3 channels in a grid, enlarged `scale` times, without gaps."""
    pixels = ((images.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return tile_pictures(rearrange(pixels, "count c h w -> count h w c"), columns, gap=0, scale=scale)


def write_points(path: Path, points: Float[Tensor, "count 2"], log_density: LogDensity | None = None) -> None:
    """Write a scatter plot of points as a PNG, from -1 to 1 or as far as 99% of them lie.

    Args:
        path: of the PNG.
        points: the samples.
        log_density: [count, 2] -> [count], drawn as contours.
    """
    from matplotlib.figure import Figure

    coordinates = points.detach().cpu().double()
    far = coordinates.abs().amax(dim=1).nan_to_num(0.0).quantile(0.99).item()
    half_width = max(1.0, math.ceil(2 * far) / 2)
    figure = Figure(figsize=(INCHES, INCHES), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes)
    axes.scatter(*coordinates.numpy().T, s=5, c=SAMPLES, alpha=0.5, linewidths=0)
    axes.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal")
    if log_density is not None:
        axis = torch.linspace(-half_width, half_width, CONTOUR_POINTS, dtype=torch.float64)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        values = log_density(torch.stack([x.flatten(), y.flatten()], dim=1)).reshape(x.shape)
        values = (values - values.max()).cpu().numpy()
        colors = ordered_colors(len(CONTOURS))[::-1]
        axes.contour(axis, axis, values, levels=CONTOURS, colors=colors, linewidths=0.9, linestyles="solid")
        axes.set_title("contours: log density, -6, -4, -2, -0.5 nats", fontsize=SMALL_FONT)
    axes.set_xlabel("$x_1$", fontsize=FONT)
    axes.set_ylabel("$x_2$", fontsize=FONT)
    write_atomic(path, figure_png(figure, DOTS_PER_INCH))
