import pytest
from onepaper.errors import UsageError

from perceiver_ar.verb_options import EvaluateOptions, SampleOptions


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
