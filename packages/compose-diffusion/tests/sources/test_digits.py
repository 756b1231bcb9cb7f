import pytest
import torch
from onepaper.errors import UsageError
from PIL import Image

from compose_diffusion.data.digits import load_digits
from compose_diffusion.models.digit_guidance import label_leaf
from compose_diffusion.sources.builtin import DigitsSource


@pytest.fixture(scope="module")
def source():
    return DigitsSource(None, torch.device("cpu"))


def test_conditions_are_the_labels(source, generator):
    x = torch.randn(3, *source.event_shape, generator=generator, dtype=source.dtype)
    for condition, label in ((None, None), ("3", 3), ("0", 0)):
        found = source.leaf(condition, source.schedule).evaluate(x, 30).score
        torch.testing.assert_close(found, label_leaf(source.models, label).evaluate(x, 30).score)


@pytest.mark.parametrize("condition", ["10", "-1", "three", "3.0", "03", ""])
def test_other_conditions_are_refused(source, condition):
    with pytest.raises(UsageError, match=rf"digits has no condition '{condition}', expected a digit from 0 to 9"):
        source.leaf(condition, source.schedule)


def test_attribute_accuracy_are_shares_of_what_is_seen(source):
    digits = load_digits("evaluator")
    threes, eights = (digits.images[digits.labels == digit][:6] for digit in (3, 8))
    x = torch.cat([threes, threes, eights])
    assert source.attribute_accuracy(x, ["3"]) == {"shows 3": pytest.approx(2 / 3)}
    assert source.attribute_accuracy(x, ["8", "1", "8"]) == {
        "shows 8": pytest.approx(1 / 3),
        "shows 1": 0,
        "shows 8 or 1": pytest.approx(1 / 3),
    }
    assert source.attribute_accuracy(x, []) == {"shows 3": pytest.approx(2 / 3), "shows 8": pytest.approx(1 / 3)}


def test_picture(source, tmp_path):
    source.write_picture(load_digits("evaluator").images[:5], tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "L"
