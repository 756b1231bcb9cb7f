"""Options of the verbs are validated."""

import pytest
from onepaper.errors import UsageError

from sed.cli.options import EvaluateOptions, SampleOptions, ShowOptions


def test_refused() -> None:
    with pytest.raises(UsageError, match="count is 0"):
        SampleOptions(count=0)
    with pytest.raises(UsageError, match="samples is 0"):
        EvaluateOptions(samples=0)
    with pytest.raises(UsageError, match="text is empty"):
        ShowOptions(text="")
