"""Codecs by name."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError

from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.pretrained.codecs import open_codec


def test_names(weights: Path) -> None:
    assert isinstance(open_codec("identity"), BandEnergies)
    assert isinstance(open_codec(weights), SlowAE)
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_codec("nowhere")
