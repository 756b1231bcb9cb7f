"""The front end agrees with librosa and torchaudio, and has the symmetries that its definition implies."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hares.config import FrontEndConfig
from hares.spectrograms.log_mel import (
    band_edges,
    empty_bands,
    frame_count,
    hertz_to_mel,
    log_mel,
    mel_filters,
    mel_power,
    mel_to_hertz,
    standardize,
)

NOISE = 0.3 * torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("area_norm", [False, True])
def test_filters_are_those_of_librosa(scale: str, area_norm: bool) -> None:
    config = FrontEndConfig(scale=scale, area_norm=area_norm, fft=1024)  # type: ignore[arg-type]
    expected = librosa.filters.mel(
        sr=16_000, n_fft=1024, n_mels=80, fmin=60, fmax=7800, htk=scale == "htk", norm="slaney" if area_norm else None
    )
    np.testing.assert_allclose(mel_filters(config).numpy(), expected.T, atol=1e-6)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("area_norm", [False, True])
def test_filters_are_those_of_torchaudio(scale: str, area_norm: bool) -> None:
    try:
        from torchaudio.functional import melscale_fbanks
    except (ImportError, OSError):  # its wheel asks for one build of torch
        pytest.skip("torchaudio does not load beside this build of torch")
    config = FrontEndConfig(scale=scale, area_norm=area_norm, fft=1024)  # type: ignore[arg-type]
    expected = melscale_fbanks(513, 60.0, 7800.0, 80, 16_000, norm="slaney" if area_norm else None, mel_scale=scale)
    np.testing.assert_allclose(mel_filters(config).numpy(), expected.numpy(), atol=2e-5)


@pytest.mark.parametrize("power", [1, 2])
def test_powers_are_those_of_librosa(power: int) -> None:
    config = FrontEndConfig(fft=400, power=power)  # type: ignore[arg-type]
    expected = librosa.feature.melspectrogram(
        y=NOISE.numpy(),
        sr=16_000,
        n_fft=400,
        hop_length=160,
        window="hann",
        center=False,
        power=power,
        n_mels=80,
        fmin=60,
        fmax=7800,
        htk=True,
        norm=None,
    )
    np.testing.assert_allclose(mel_power(NOISE, config).transpose(1, 2).numpy(), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("mels", [7, 80])
def test_powers_are_those_of_the_definition(mels: int) -> None:
    """Also where clips are computed in several parts and bands in several products; gradients as well."""
    config = FrontEndConfig(mels=mels)
    clips = 0.3 * torch.randn(30, 6100, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    frames = clips.unfold(-1, 400, 160) * torch.hann_window(400)
    expected = torch.fft.rfft(frames, n=512).abs().square() @ mel_filters(config)
    torch.testing.assert_close(mel_power(clips, config), expected, rtol=1e-5, atol=1e-6)
    first = clips[:1].requires_grad_()
    (slope,) = torch.autograd.grad(mel_power(first, config).sum(), first)
    # A power is quadratic in the waveform.
    torch.testing.assert_close((slope * first).sum(), 2 * mel_power(first, config).sum(), rtol=1e-4, atol=0)


@given(st.floats(1.0, 8000.0), st.sampled_from(["htk", "slaney"]))
def test_scales_are_inverted(hertz: float, scale: str) -> None:
    assert np.isclose(mel_to_hertz(hertz_to_mel(hertz, scale), scale), hertz, rtol=1e-9)


def test_a_tone_is_in_its_band() -> None:
    config = FrontEndConfig()
    peaks = band_edges(config)[1:-1]
    for band in (20, 40, 70):
        tone = torch.sin(2 * torch.pi * peaks[band] * torch.arange(8000) / 16_000)[None].float()
        assert mel_power(tone, config).mean((0, 1)).argmax() == band


def test_shift_and_gain() -> None:
    config = FrontEndConfig()
    whole = log_mel(NOISE, FrontEndConfig(standardize=False))
    shifted = log_mel(NOISE[:, 320:], FrontEndConfig(standardize=False))
    torch.testing.assert_close(shifted, whole[:, 2:])
    # The offset of the logarithm is far below this noise.
    torch.testing.assert_close(log_mel(2 * NOISE, config), log_mel(NOISE, config), atol=1e-3, rtol=0)


def test_standardized_and_silent_clips() -> None:
    made = log_mel(NOISE, FrontEndConfig())
    torch.testing.assert_close(made.mean((1, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.std((1, 2), correction=0), torch.ones(2), atol=1e-5, rtol=0)
    silent = log_mel(torch.zeros(1, 4000), FrontEndConfig())
    assert not silent.isnan().any()
    assert silent.abs().max() < 1e-2
    assert standardize(torch.full((1, 3, 4), 5.0)).abs().max() == 0


@given(st.integers(1, 4000))
def test_number_of_frames(samples: int) -> None:
    config = FrontEndConfig()
    count = mel_power(torch.zeros(1, samples), config).shape[1]
    assert count == frame_count(samples, config)


def test_three_seconds_have_298_frames() -> None:
    assert frame_count(48_000, FrontEndConfig()) == 298


def test_bands_without_a_bin_are_named() -> None:
    assert empty_bands(FrontEndConfig(mels=128, fft=400))
    assert not empty_bands(FrontEndConfig(mels=80, fft=2048))
