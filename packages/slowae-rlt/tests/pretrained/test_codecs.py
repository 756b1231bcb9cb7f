"""Codecs by name."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from slowae_rlt.codec_comparison import compare_codecs, events_codec, vq_codec
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.pretrained.codecs import open_codec, open_vq


def test_names(weights: Path) -> None:
    assert isinstance(open_codec("identity"), BandEnergies)
    assert isinstance(open_codec(weights), SlowAE)
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_codec("nowhere")


def test_shipped_vq() -> None:
    """As near to a recording as the slow autoencoder that ships, at 9 bits for each 16 ms."""
    held_out = split_prompts(("en",))["test"][:2]
    codecs = {"vq": vq_codec(open_vq("laptop-vq")), "slow": events_codec(open_codec("laptop"))}
    table = compare_codecs(codecs, held_out)
    assert table["vq"]["bits a second"] == pytest.approx(562.5, rel=0.01)
    assert table["vq"]["log-mel distance (dB)"] < 1.1 * table["slow"]["log-mel distance (dB)"]
