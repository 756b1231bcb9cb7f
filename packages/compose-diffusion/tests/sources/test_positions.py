import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from PIL import Image

from compose_diffusion.config.positions import CanvasConfig
from compose_diffusion.data.canvases import draw_canvases
from compose_diffusion.sources.builtin import PositionsSource


@pytest.fixture(scope="module")
def source():
    return PositionsSource()


def test_conditions_become_leaves(source):
    schedule = source.schedule
    assert source.leaf("3, 12", schedule).condition.tolist() == [[3, 12]]
    assert source.leaf(None, schedule).condition.tolist() == [[-1, -1]]
    assert not source.leaf("3,12", schedule).has_energy
    assert PositionsSource(form="energy").leaf("3,12", schedule).has_energy


@pytest.mark.parametrize("condition", ["left", "3", "3,4,5", "-1,2", ""])
def test_conditions_that_are_no_place(source, condition):
    with pytest.raises(UsageError, match=f"position is '{condition}', expected x,y.*0 to 24 each, e.g. 3,12"):
        source.leaf(condition, source.schedule)


def test_places_off_the_canvas(source):
    with pytest.raises(UsageError, match=r"position is \(25, 2\), expected x and y from 0 to 24"):
        source.leaf("25,2", source.schedule)


def test_attribute_accuracy_of_real_canvases(source):
    canvases = draw_canvases(20, CanvasConfig(), "model", np.random.default_rng(3), num_digits=1)
    x, y = canvases.positions[0, 0].tolist()
    far = f"{(x + 12) % 25},{y}"
    attribute_accuracy = source.attribute_accuracy(canvases.images[:1], [f"{x},{y}", far])
    assert attribute_accuracy == {
        "digit at every position": 0.0,
        f"digit at {x},{y}": 1.0,
        f"digit at {far}": 0.0,
    }
    assert source.attribute_accuracy(canvases.images, []) == {}


def test_picture(source, tmp_path):
    source.write_picture(torch.full((2, *source.event_shape), -1.0), tmp_path / "x.png")
    assert np.asarray(Image.open(tmp_path / "x.png")).min() == 255


def test_sources_of_folders(tmp_path):
    assert len(PositionsSource().schedule) == 100
    with pytest.raises(UsageError, match="weights folder .*nowhere does not exist"):
        PositionsSource(tmp_path / "nowhere")
