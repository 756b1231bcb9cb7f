"""Pictures of samples as files."""

import io
import math
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from onepaper.runs import write_atomic
from torch import Tensor

# Screen pixels per image pixel, and between images.
ENLARGEMENT = 8
GAP = 4
# Size and resolution of a scatter plot.
INCHES, DOTS_PER_INCH = 4.0, 160


def image_grid(
    images: Float[Tensor, "count 1 height width"], columns: int | None = None
) -> UInt8[np.ndarray, "rows columns"]:
    """Images in [-1, 1] in a grid, as one grey picture with dark ink, enlarged without interpolation.

    Args:
        images: at least one.
        columns: images in a row; about twice the number of rows if absent.
    """
    count = len(images)
    columns = columns or min(count, max(10, math.ceil(math.sqrt(2 * count))))
    ink = (images.detach().cpu().double().clamp(-1, 1).numpy() + 1) / 2
    missing = -count % columns
    ink = np.concatenate([ink, np.zeros((missing, *ink.shape[1:]))])
    ink = ink.repeat(ENLARGEMENT, axis=2).repeat(ENLARGEMENT, axis=3)
    ink = np.pad(ink, [(0, 0), (0, 0), (GAP // 2, GAP // 2), (GAP // 2, GAP // 2)])
    picture = rearrange(ink, "(rows columns) 1 h w -> (rows h) (columns w)", columns=columns)
    return np.round(255 * (1 - picture)).astype(np.uint8)


def tiles(images: Float[Tensor, "count channels height width"], columns: int) -> UInt8[np.ndarray, "rows columns *rgb"]:
    """Images in [-1, 1] with 1 (grey) or 3 channels in a grid, without gaps; missing images are white."""
    missing = images.new_full((-len(images) % columns, *images.shape[1:]), 1.0)
    grid = rearrange(torch.cat([images, missing]), "(rows columns) c h w -> (rows h) (columns w) c", columns=columns)
    pixels = ((grid.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def write_png(path: Path, picture: UInt8[np.ndarray, "rows columns *rgb"]) -> None:
    """Write a picture, grey or [rows, columns, 3], atomically."""
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="PNG")
    write_atomic(path, encoded.getvalue())


def write_points(path: Path, points: Float[Tensor, "count 2"]) -> None:
    """Write a scatter plot of points as a PNG, from -1 to 1 or as far as 99% of them lie."""
    from matplotlib.figure import Figure

    coordinates = points.detach().cpu().double()
    far = coordinates.abs().amax(dim=1).nan_to_num(0.0).quantile(0.99).item()
    half_width = max(1.0, math.ceil(2 * far) / 2)
    figure = Figure(figsize=(INCHES, INCHES), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(*coordinates.numpy().T, s=4, c="#d1495b", alpha=0.5, linewidths=0)
    axes.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal")
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", dpi=DOTS_PER_INCH)
    write_atomic(path, encoded.getvalue())
