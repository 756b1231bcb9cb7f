"""Every architecture embeds; weights survive a folder; statistics by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hares.config import Architecture, EncoderConfig
from hares.models.encoder import MIN_FRAMES, Encoder
from hares.presets import ENCODERS, STATISTICS, TINY


@pytest.mark.parametrize("name", [name for name in ENCODERS if "nfnet" not in name])
def test_every_network_is_built(name: str) -> None:
    with torch.device("meta"):
        encoder = Encoder(ENCODERS[name])
        assert encoder.eval().embed_spectrogram(torch.empty(1, 64, 80)).shape == (1, encoder.embed_dim)


@pytest.mark.parametrize("architecture", ["slowfast-nfnet", "slow-nfnet", "fast-nfnet"])
def test_short_clips_are_padded(architecture: Architecture) -> None:
    encoder = Encoder(replace(TINY, architecture=architecture)).eval()
    samples = torch.randn(2, 100)
    assert encoder.spectrogram(samples).shape == (2, MIN_FRAMES, 64)
    assert encoder(samples).isfinite().all()


def test_weights_survive_a_folder(tiny: Encoder, tmp_path: Path) -> None:
    samples = torch.randn(1, 16_000)
    again = Encoder.from_pretrained(tiny.save_pretrained(tmp_path / "weights"))
    assert torch.equal(again(samples), tiny(samples))
    assert again.config == tiny.config
    half = Encoder.from_pretrained(tiny.save_pretrained(tmp_path / "half", half=True))
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("weights", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    torch.testing.assert_close(
        half(samples), tiny(samples), rtol=0.02, atol=0.02 * float(tiny(samples).abs().max().detach())
    )


def test_statistics() -> None:
    encoder = Encoder(STATISTICS)
    samples = torch.randn(2, 8000)
    spectrogram = encoder.spectrogram(samples)
    found = encoder(samples)
    torch.testing.assert_close(found[:, :64], spectrogram.mean(1))
    torch.testing.assert_close(found[:, 64:], spectrogram.std(1, correction=0))
    assert not list(encoder.parameters())
    assert EncoderConfig().architecture != "statistics"
