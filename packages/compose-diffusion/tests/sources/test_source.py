import numpy as np
import torch
from PIL import Image

from compose_diffusion.sources.source import Source


class Images(Source):
    leaf = None  # not needed for pictures


def test_images_in_a_grid_and_no_evaluator(tmp_path):
    made = Images()
    x = torch.full((3, 3, 8, 8), -1.0)
    x[1, 0] = 1.0
    made.write_picture(x, tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    assert pixels.shape == (16, 16, 3)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 8].tolist() == [255, 0, 0]
    assert pixels[8, 8].tolist() == [255, 255, 255]
    made.write_picture(torch.zeros(1, 1, 8, 8), tmp_path / "grey.png")
    assert np.asarray(Image.open(tmp_path / "grey.png")).shape == (8, 8)
    assert made.attribute_accuracy(x, ["1"]) == {}
