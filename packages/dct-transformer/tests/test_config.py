"""Configurations are validated."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from dct_transformer.config import ChunkConfig, CodecConfig, DataConfig, ExperimentConfig, ModelConfig, SamplingOptions


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: CodecConfig(quality=0), "quality is 0"),
        (lambda: CodecConfig(block=1), "block is 1"),
        (lambda: ChunkConfig(10, 20), "chunk.overlap is 20"),
        (lambda: ModelConfig(dim=30), "expected a multiple"),
        (lambda: ModelConfig(encoder=()), "encoder has no layers"),
        (lambda: ModelConfig(encoder=(0,)), "feed-forward layers of encoder is 0"),
        (lambda: ModelConfig(condition="sound"), "condition"),  # type: ignore[arg-type]
        (lambda: DataConfig("images"), "needs --data.path"),
        (lambda: DataConfig("stamps", Path("x")), "takes none"),
        (lambda: ExperimentConfig(batch_size=0), "batch_size is 0"),
        (lambda: SamplingOptions(temperature=0), "temperature is 0"),
        (lambda: SamplingOptions(top_p=0), "top_p is 0"),
    ],
)
def test_wrong_values_are_refused(make, expected: str) -> None:  # noqa: ANN001
    with pytest.raises(UsageError, match=expected):
        make()


def test_length_of_the_decoders() -> None:
    assert ChunkConfig(896, 128).length == 1024
