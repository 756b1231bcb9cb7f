import pytest
from onepaper.errors import UsageError

from simplex_cir.config import DataConfig, LearnedConfig, ModelConfig, OracleConfig, SampleOptions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DataConfig("text"), "expected a path for text and fasta only"),
        (lambda: ModelConfig(width=50), "multiple of 8"),
        (lambda: ModelConfig(symbols="AA"), "two different ones"),
        (lambda: ModelConfig(positions=9, layout="grid"), "16 or 81"),
        (lambda: ModelConfig(a=0.0), "a is"),
        (lambda: LearnedConfig(clamp_prob=1.5), "clamp_prob is 1.5"),
        (lambda: LearnedConfig(lowest_snr=2.0, highest_snr=1.0), "increasing range"),
        (lambda: OracleConfig((0.5, 0.6)), "sum to 1"),
        (lambda: OracleConfig(samplers=("anestral",)), "ancestral"),
        (lambda: SampleOptions(temperature=0.0), "temperature"),
        (lambda: SampleOptions(dilation=-1.0), "dilation"),
        (lambda: LearnedConfig(loss="bound"), "mask_prob is 0.75, expected 0"),
        (lambda: LearnedConfig(model=ModelConfig(evidence=False)), "mask_prob is 0.75, expected 0"),
    ],
)
def test_bad_values_are_refused_in_a_line(make, message) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
