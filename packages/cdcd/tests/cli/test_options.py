"""Options are validated."""

import pytest
from onepaper.errors import UsageError

from cdcd.cli.options import DoctorOptions, EvaluateOptions, SampleOptions


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UsageError, match="count is 0"):
        SampleOptions(count=0)
    with pytest.raises(UsageError, match="prompts is 0"):
        EvaluateOptions(prompts=0)
    with pytest.raises(UsageError, match="vocab_size is 1"):
        DoctorOptions(vocab_size=(1,))
    with pytest.raises(UsageError, match="t_max is nan"):
        DoctorOptions(t_max=float("nan"))
