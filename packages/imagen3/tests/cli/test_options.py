"""Options are validated."""

import pytest
from onepaper.errors import UsageError

from imagen3.cli.options import SampleOptions, TrainOptions
from imagen3.config import SamplingOptions


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UsageError, match="count is 0"):
        SampleOptions(count=0)
    with pytest.raises(UsageError, match="scale"):
        SampleOptions(scale=3)  # pyright: ignore[reportArgumentType]
    kept = SamplingOptions(steps=7, guidance=2.0)
    assert SampleOptions().sampling(kept) == kept
    assert SampleOptions(guidance=0.0, sampler="heun").sampling(kept) == SamplingOptions("heun", 7, 0.0)
    with pytest.raises(UsageError, match="max_minutes is -2"):
        TrainOptions(max_minutes=-2)
