"""Fields are validated, with the value and what was expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onepaper.errors import UsageError

from sed.config import (
    AutoregressiveExperiment,
    DataConfig,
    EmbeddingConfig,
    ExperimentConfig,
    MaskedConfig,
    ModelConfig,
    SamplingOptions,
    ScheduleConfig,
    SpanConfig,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DataConfig("text"), "give their path"),
        (lambda: DataConfig(path=Path("a")), "takes no path"),
        (lambda: DataConfig(pad_fraction=1.0), "pad_fraction is 1.0"),
        (lambda: EmbeddingConfig("file"), "expected a path"),
        (lambda: EmbeddingConfig("random", path=Path("a.npy")), "expected a path"),
        (lambda: ScheduleConfig(steps=0), "schedule.steps is 0"),
        (lambda: ModelConfig(length=1), "length is 1, expected at least 2"),
        (lambda: ModelConfig(width=97), "width is 97"),
        (lambda: ModelConfig(bits=True), "embed_dim is 32, expected 11 bits"),
        (lambda: SpanConfig(0), "max_spans is 0"),
        (lambda: MaskedConfig(mask_rate=0.0), "mask_rate is 0"),
        (lambda: AutoregressiveExperiment(DataConfig()), "a causal model needs no padding"),
        (lambda: SamplingOptions(steps=0), "sampling.steps is 0"),
        (lambda: SamplingOptions(guidance=-1.0), "guidance is -1.0"),
        (lambda: SamplingOptions(guidance=float("nan")), "guidance is nan"),
        (lambda: ExperimentConfig(spans=SpanConfig(33)), "max_spans is 33, expected at most the 32"),
        (lambda: ExperimentConfig(embeddings=EmbeddingConfig("bits")), "expected both or neither"),
        (lambda: ExperimentConfig(readout_positions=33), "readout_positions is 33"),
        (
            lambda: ExperimentConfig(batch_size=3, model=ModelConfig(self_conditioning="coin")),
            "expected an even number",
        ),
    ],
)
def test_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
