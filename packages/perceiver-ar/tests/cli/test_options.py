from pathlib import Path

import pytest
from onepaper.errors import UsageError

from perceiver_ar.cli.options import DataOverride, EvaluateOptions, SampleOptions
from perceiver_ar.config import DataConfig


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        (SampleOptions, {"count": 0}, "count is 0"),
        (SampleOptions, {"tokens": -1}, "tokens is -1"),
        (EvaluateOptions, {"latents": (8, 0)}, "latents is 0"),
        (EvaluateOptions, {"stride": -1}, "stride is -1"),
    ],
)
def test_mistakes_raise_one_line(options: type, values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(**values)


def test_other_data_are_read_as_those_of_the_weights() -> None:
    learnt = DataConfig("text", Path("here"), tokens="pieces", pieces=300)
    assert DataOverride().override(learnt) == learnt
    assert DataOverride(path=Path("there")).override(learnt) == DataConfig("text", Path("there"), "pieces", 300)
    assert DataOverride("novels").override(learnt) == DataConfig("novels", None, "pieces", 300)
    with pytest.raises(UsageError, match="'photos' is images, but the weights were trained on text; choose one"):
        DataOverride("photos").override(learnt)


def test_what_means_nothing_to_copies_is_named() -> None:
    assert EvaluateOptions().document_options() == ""
    assert EvaluateOptions(latents=(4,), max_tokens=5, passes_at_once=1).document_options() == "--latents, --max-tokens"
