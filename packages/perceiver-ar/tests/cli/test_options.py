from pathlib import Path

import pytest
from onepaper.errors import UsageError

from perceiver_ar.cli.options import EvaluateOptions, OtherData, SampleOptions
from perceiver_ar.config import DataConfig


@pytest.mark.parametrize(
    ("options", "values", "told"),
    [
        (SampleOptions, {"count": 0}, "count is 0"),
        (SampleOptions, {"tokens": -1}, "tokens is -1"),
        (EvaluateOptions, {"latents": (8, 0)}, "latents is 0"),
        (EvaluateOptions, {"stride": -1}, "stride is -1"),
    ],
)
def test_mistakes_take_a_line(options: type, values: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        options(**values)


def test_other_data_are_read_as_those_of_the_weights() -> None:
    learnt = DataConfig("text", Path("here"), tokens="pieces", pieces=300)
    assert OtherData().instead_of(learnt) == learnt
    assert OtherData(path=Path("there")).instead_of(learnt) == DataConfig("text", Path("there"), "pieces", 300)
    assert OtherData("novels").instead_of(learnt) == DataConfig("novels", None, "pieces", 300)
    with pytest.raises(UsageError, match="'photos' is images, but the weights learnt text; choose one of novels"):
        OtherData("photos").instead_of(learnt)


def test_what_means_nothing_to_copies_is_named() -> None:
    assert EvaluateOptions().about_documents() == ""
    assert EvaluateOptions(latents=(4,), max_tokens=5, passes_at_once=1).about_documents() == "--latents, --max-tokens"
