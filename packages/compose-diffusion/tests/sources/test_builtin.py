import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from PIL import Image

from compose_diffusion.config.positions import CanvasConfig
from compose_diffusion.config.samplers import KERNELS
from compose_diffusion.data.canvases import draw_canvases
from compose_diffusion.data.digits import load_digits
from compose_diffusion.data.distributions import DISTRIBUTIONS, make_distribution
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.models.digit_guidance import label_leaf
from compose_diffusion.sources.builtin import DigitsSource, PositionsSource, ToySource


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_leaf_is_the_distribution(name, generator):
    source = ToySource(name, torch.device("cpu"))
    schedule = cosine_schedule(7)
    x = torch.randn(5, *source.event_shape, generator=generator, dtype=source.dtype)
    found = source.leaf(None, schedule).evaluate(x, 6)
    log_density, score = make_distribution(name).noised(x, float(schedule.alphas_cumprod[6]))
    torch.testing.assert_close(found.log_density, log_density)
    torch.testing.assert_close(found.score, score)


def test_steps_picture_and_evaluator(tmp_path):
    source = ToySource("ring", torch.device("cpu"))
    assert {name: options.kernel for name, options in source.kernel_defaults.items()} == {
        name: name for name in KERNELS
    }
    assert source.attribute_accuracy(torch.zeros(3, 2), ["anything"]) == {}
    source.write_picture(torch.zeros(3, 2), tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size[0] == picture.size[1]


def test_apples_gpu_knows_no_float64():
    assert ToySource("ring", torch.device("mps")).dtype == torch.float32


def test_conditions_are_refused():
    with pytest.raises(UsageError, match="ring was given the condition '3', expected none"):
        ToySource("ring", torch.device("cpu")).leaf("3", cosine_schedule(5))


@pytest.fixture(scope="module")
def digits_source():
    return DigitsSource(None, torch.device("cpu"))


def test_digits_take_labels(digits_source, generator):
    x = torch.randn(3, *digits_source.event_shape, generator=generator, dtype=digits_source.dtype)
    for condition, label in ((None, None), ("3", 3), ("0", 0)):
        found = digits_source.leaf(condition, digits_source.schedule).evaluate(x, 30).score
        torch.testing.assert_close(found, label_leaf(digits_source.models, label).evaluate(x, 30).score)


@pytest.mark.parametrize("condition", ["10", "-1", "three", "3.0", "03", ""])
def test_other_conditions_are_refused(digits_source, condition):
    with pytest.raises(UsageError, match=rf"digits has no condition '{condition}', expected a digit from 0 to 9"):
        digits_source.leaf(condition, digits_source.schedule)


def test_attribute_accuracy_are_shares_of_what_is_seen(digits_source):
    digits = load_digits("evaluator")
    threes, eights = (digits.images[digits.labels == digit][:6] for digit in (3, 8))
    x = torch.cat([threes, threes, eights])
    assert digits_source.attribute_accuracy(x, ["3"]) == {"shows 3": pytest.approx(2 / 3)}
    assert digits_source.attribute_accuracy(x, ["8", "1", "8"]) == {
        "shows 8": pytest.approx(1 / 3),
        "shows 1": 0,
        "shows 8 or 1": pytest.approx(1 / 3),
    }
    assert digits_source.attribute_accuracy(x, []) == {"shows 3": pytest.approx(2 / 3), "shows 8": pytest.approx(1 / 3)}


def test_picture_of_digits(digits_source, tmp_path):
    digits_source.write_picture(load_digits("evaluator").images[:5], tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "L"


@pytest.fixture(scope="module")
def positions():
    return PositionsSource()


def test_conditions_become_leaves(positions):
    schedule = positions.schedule
    assert positions.leaf("3, 12", schedule).condition.tolist() == [[3, 12]]
    assert positions.leaf(None, schedule).condition.tolist() == [[-1, -1]]
    assert not positions.leaf("3,12", schedule).has_energy
    assert PositionsSource(form="energy").leaf("3,12", schedule).has_energy


@pytest.mark.parametrize("condition", ["left", "3", "3,4,5", "-1,2", ""])
def test_conditions_that_are_no_place(positions, condition):
    with pytest.raises(UsageError, match=f"position is '{condition}', expected x,y.*0 to 24 each, e.g. 3,12"):
        positions.leaf(condition, positions.schedule)


def test_places_off_the_canvas(positions):
    with pytest.raises(UsageError, match=r"position is \(25, 2\), expected x and y from 0 to 24"):
        positions.leaf("25,2", positions.schedule)


def test_attribute_accuracy_of_real_canvases(positions):
    canvases = draw_canvases(20, CanvasConfig(), "model", np.random.default_rng(3), num_digits=1)
    x, y = canvases.positions[0, 0].tolist()
    far = f"{(x + 12) % 25},{y}"
    attribute_accuracy = positions.attribute_accuracy(canvases.images[:1], [f"{x},{y}", far])
    assert attribute_accuracy == {
        "digit at every position": 0.0,
        f"digit at {x},{y}": 1.0,
        f"digit at {far}": 0.0,
    }
    assert positions.attribute_accuracy(canvases.images, []) == {}


def test_picture_of_canvases(positions, tmp_path):
    positions.write_picture(torch.full((2, *positions.event_shape), -1.0), tmp_path / "x.png")
    assert np.asarray(Image.open(tmp_path / "x.png")).min() == 255


def test_sources_of_folders(tmp_path):
    assert len(PositionsSource().schedule) == 100
    with pytest.raises(UsageError, match="weights folder .*nowhere does not exist"):
        PositionsSource(tmp_path / "nowhere")
