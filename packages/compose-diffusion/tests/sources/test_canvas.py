import json

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from onepaper.testing.mutations import fuzz

from compose_diffusion.algebra.tapestry import Region, Tapestry, product_of_crops
from compose_diffusion.cli.options import SampleOptions
from compose_diffusion.cli.sample import requested, sample_verb
from compose_diffusion.models.digit_guidance import label_leaf
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.paper import PAPER
from compose_diffusion.sources.canvas import CanvasRegion, Layout, read_layout

CPU = torch.device("cpu")
LAYOUT = {
    "canvas": [8, 14],
    "regions": [{"expression": "digits[3]", "x": 0, "y": 0}, {"expression": "2*digits[5] - digits", "x": 6, "y": 0}],
}


@pytest.fixture
def layout_file(tmp_path):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps(LAYOUT))
    return path


@pytest.mark.parametrize("overlap", ["average", "product"])
def test_a_layout_is_the_tapestry_written_by_hand(overlap, tmp_path, generator):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps({**LAYOUT, "overlap": overlap}))
    request = requested(SampleOptions(canvas=path, num_levels=10), CPU)
    models = DigitModels.from_pretrained()
    schedule = request.schedule
    three, five, any_digit = (label_leaf(models, digit, schedule=schedule) for digit in (3, 5, None))
    regions = [Region(three, 0, 0), Region(2 * five - any_digit, 6, 0)]
    by_hand = (Tapestry if overlap == "average" else product_of_crops)(regions, (8, 14), (8, 8))
    x = torch.randn(3, 1, 8, 14, generator=generator)
    torch.testing.assert_close(request.expression.evaluate(x, 4).score, by_hand.evaluate(x, 4).score)
    assert (request.wanted, request.source.event_shape) == (["3", "5"], (1, 8, 14))


def test_the_verb_draws_it_and_every_region_is_evaluated(layout_file, tmp_path, capsys):
    options = SampleOptions(
        canvas=layout_file, count=5, sampler="reverse", num_levels=40, device="cpu", output=tmp_path
    )
    assert sample_verb(Invocation(PAPER, PAPER.verb("sample"), None, options)) == 0
    reported = capsys.readouterr().out
    assert "2 regions on a canvas of 8 x 14" in reported
    found = json.loads((tmp_path / "samples.json").read_text())["attribute_accuracy"]["wanted"]
    assert list(found) == ["at x=0, y=0 shows 3", "at x=6, y=0 shows 5"]
    assert min(found.values()) >= 0.6
    with np.load(tmp_path / "samples.npz") as arrays:
        assert arrays["samples"].shape == (5, 1, 8, 14)


@pytest.mark.parametrize(
    ("layout", "options", "message"),
    [
        (Layout((8, 20), (CanvasRegion("digits[3]", 0, 0),)), {}, "96 pixels of the canvas lie in no region"),
        (Layout((8, 8), (CanvasRegion("digits[3]", 6, 0),)), {}, "ends at x=14"),
        (Layout((8, 8), (CanvasRegion("ring", 0, 0),)), {}, "a canvas is made of images, but 'ring'"),
        (Layout((8, 8), (CanvasRegion("digits & ring", 0, 0),)), {}, "expected equal shapes"),
        (Layout((8, 8), (CanvasRegion("digits", 0, 0),)), {"leaf": ("mine=somewhere",)}, "--leaf names 'mine'"),
    ],
)
def test_a_layout_that_cannot_be_drawn(layout, options, message, tmp_path):
    path = tmp_path / "layout.json"
    places = [vars(place) for place in layout.regions]
    path.write_text(json.dumps({"canvas": layout.canvas, "regions": places}))
    with pytest.raises(UsageError, match=message):
        requested(SampleOptions(canvas=path, **options), CPU)


@pytest.mark.parametrize("options", [{"expression": "digits"}, {"all_of": (3,)}])
def test_one_way_to_ask_at_a_time(options, layout_file):
    with pytest.raises(UsageError, match="expected one of them"):
        SampleOptions(canvas=layout_file, **options)


def test_a_layout_is_read_from_json(tmp_path):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps(LAYOUT))
    regions = (CanvasRegion("digits[3]", 0, 0), CanvasRegion("2*digits[5] - digits", 6, 0))
    assert read_layout(path) == Layout((8, 14), regions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"canvas": [8]}, "canvas"),
        ({"canvas": [8, 0]}, "side of the canvas is 0"),
        ({"regions": []}, "regions is empty"),
        ({"overlap": "sum"}, "overlap"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"regions": [{"expression": " ", "x": 0, "y": 0}]}, "a region's expression is empty"),
        ({"regions": [{"expression": "digits", "x": -1, "y": 0}]}, "region x is -1"),
        ({"regions": [{"expression": "digits", "x": 0}]}, "field 'y' of CanvasRegion is missing"),
    ],
)
def test_a_bad_layout_is_refused_by_name(changes, message, tmp_path):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps({**LAYOUT, **changes}))
    with pytest.raises(UsageError, match=message):
        read_layout(path)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="nowhere.json"):
        read_layout(tmp_path / "nowhere.json")


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_layouts(tmp_path, count):
    found = fuzz(read_layout, tmp_path / "layout.json", [json.dumps(LAYOUT).encode()], count)
    assert any(isinstance(layout, Layout) for layout in found)
