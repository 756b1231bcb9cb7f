"""Codecs by name: shipped weights, weights of the user's trainings, and band energies without weights."""

from pathlib import Path

from onepaper.weights import find_weights

from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.models.vq_autoencoder import VQAutoencoder

IDENTITY = "identity"

Codec = SlowAE | BandEnergies


def open_codec(name: str | Path) -> Codec:
    """The codec of that name, of the folder of a training run, or of a folder of weights; `identity` has no weights.

    Raises:
        UsageError: no such weights, or weights that are not finite.
        OnePaperError: a file is missing or damaged.
    """
    return BandEnergies() if str(name) == IDENTITY else SlowAE.from_pretrained(find_weights(name, "slowae_rlt"))


def open_vq(name: str | Path) -> VQAutoencoder:
    """The VQ-VAE of that name, of the folder of a training run, or of a folder of weights.

    Raises:
        UsageError: no such weights, or weights that are not finite.
        OnePaperError: a file is missing or damaged.
    """
    return VQAutoencoder.from_pretrained(find_weights(name, "slowae_rlt"))
