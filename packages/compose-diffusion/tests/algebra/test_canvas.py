import json

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from compose_diffusion.algebra.canvas import CanvasRegion, Layout, read_layout

LAYOUT = {
    "canvas": [8, 14],
    "regions": [{"expression": "digits[3]", "x": 0, "y": 0}, {"expression": "2*digits[5] - digits", "x": 6, "y": 0}],
}


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
