import numpy as np
import torch
from PIL import Image

from compose_diffusion.sources.pictures import (
    DOTS_PER_INCH,
    ENLARGEMENT,
    GAP,
    INCHES,
    image_grid,
    tiles,
    write_points,
)


def test_image_grid():
    images = torch.stack([torch.full((1, 8, 8), value) for value in (-1.0, 1.0, 5.0)])
    picture = image_grid(images, columns=2)
    cell = 8 * ENLARGEMENT + GAP
    assert picture.shape == (2 * cell + GAP, 2 * cell + GAP)
    middle = (cell + GAP) // 2
    assert [int(picture[middle, middle]), int(picture[middle, cell + middle])] == [255, 0]
    assert [int(picture[cell + middle, middle]), int(picture[cell + middle, cell + middle])] == [0, 255]
    assert picture[0].min() == 255


def coloured(path):
    """Shares of coloured pixels in the left and right half of a plot."""
    with Image.open(path) as picture:
        assert picture.size == (round(INCHES * DOTS_PER_INCH),) * 2
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    red = pixels[..., 0] - pixels[..., 2] > 40
    half = red.shape[1] // 2
    return red[:, :half].mean(), red[:, half:].mean()


def test_points_lie_where_they_are(tmp_path, generator):
    points = 0.05 * torch.randn(200, 2, generator=generator) + torch.tensor([0.6, 0.0])
    write_points(tmp_path / "points.png", points)
    left, right = coloured(tmp_path / "points.png")
    assert left == 0
    assert right > 0.001


def test_contours_lie_where_the_density_is(tmp_path):
    nowhere = torch.full((5, 2), torch.nan)
    write_points(tmp_path / "left.png", nowhere, lambda x: -50 * ((x[:, 0] + 0.5) ** 2 + x[:, 1] ** 2))
    with Image.open(tmp_path / "left.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    coloured = np.ptp(pixels, axis=2) > 60
    half = coloured.shape[1] // 2
    assert coloured[:, :half].sum() > 100
    assert coloured[:, half + 40 :].sum() == 0


def test_far_points_widen_the_frame(tmp_path, generator):
    write_points(tmp_path / "far.png", 0.05 * torch.randn(200, 2, generator=generator) - torch.tensor([7.0, 0.0]))
    assert coloured(tmp_path / "far.png")[0] > 0
    write_points(tmp_path / "lost.png", torch.full((5, 2), torch.nan))
    assert coloured(tmp_path / "lost.png") == (0, 0)


def test_tiles_keep_the_values():
    images = torch.tensor([-1.0, 0.0, 1.0, 1.0]).reshape(1, 1, 2, 2)
    assert tiles(images, 2)[:, :, 0].tolist() == [[0, 128], [255, 255]]
    assert tiles(images.expand(3, 3, 2, 2), 2).shape == (4, 4, 3)
