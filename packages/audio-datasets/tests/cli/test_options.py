"""Options are validated."""

import pytest
from onepaper.errors import UsageError

from audio_datasets.cli.options import DataOptions, EvaluateOptions


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UsageError, match="players is -1"):
        DataOptions(players=-1)
    with pytest.raises(UsageError, match="max_seconds is 0"):
        EvaluateOptions(max_seconds=0)
