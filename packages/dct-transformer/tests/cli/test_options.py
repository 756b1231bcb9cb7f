"""Options are validated."""

import pytest
from onepaper.errors import UsageError

from dct_transformer.cli.options import DecodeOptions, EncodeOptions, EvaluateOptions, SampleOptions, StatsOptions


def test_wrong_values_are_refused() -> None:
    for make, expected in (
        (lambda: SampleOptions(count=0), "count is 0"),
        (lambda: SampleOptions(task="paint"), "task"),  # type: ignore[arg-type]
        (lambda: EvaluateOptions(count=-1), "count is -1"),
        (lambda: EncodeOptions(stages=1), "stages is 1"),
        (lambda: DecodeOptions(keep=2), "keep is 2"),
        (lambda: StatsOptions(size=0), "size is 0"),
    ):
        with pytest.raises(UsageError, match=expected):
            make()
