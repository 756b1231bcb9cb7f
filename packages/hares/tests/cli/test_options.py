"""Options are validated."""

import pytest
from onepaper.errors import UsageError

from hares.cli.options import EvaluateOptions


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UsageError, match="mini_song"):
        EvaluateOptions(tasks=("mini_song",))
