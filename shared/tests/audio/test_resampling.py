import numpy as np
import pytest

from onepaper.audio import resample, resampled_frames, to_mono
from onepaper.errors import UsageError

RATES = (8000, 11_025, 16_000, 22_050, 44_100, 48_000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("new_rate", RATES)
def test_a_tone_stays_that_tone(rate: int, new_rate: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    found = resample(tone, rate, new_rate)
    expected = np.sin(2 * np.pi * 440 * np.arange(new_rate) / new_rate)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    inner = slice(new_rate // 8, -new_rate // 8)
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-4)


def test_the_length_is_the_rounded_ratio() -> None:
    random = np.random.default_rng(0)
    for frames, rate, new_rate in zip(
        random.integers(1, 3000, 200), random.choice(RATES, 200), random.choice(RATES, 200), strict=True
    ):
        expected = resampled_frames(int(frames), int(rate), int(new_rate))
        assert len(resample(np.ones(frames, np.float32), int(rate), int(new_rate))) == expected
        assert abs(expected - frames * new_rate / rate) <= 0.5


def test_channels_are_resampled_alone() -> None:
    both = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    found = resample(both, 8000, 16_000)
    np.testing.assert_allclose(found[:, 1], resample(both[:, 1].copy(), 8000, 16_000), atol=1e-6)
    np.testing.assert_allclose(to_mono(both), both.mean(axis=1))
    assert to_mono(both[:, 0]).shape == (500,)


def test_rates_are_checked() -> None:
    with pytest.raises(UsageError, match="sampling rates are 0 and 8000 Hz; expected at least 1"):
        resample(np.ones(3, np.float32), 0, 8000)
