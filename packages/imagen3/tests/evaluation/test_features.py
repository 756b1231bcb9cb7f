"""Features by hand."""

import numpy as np

from imagen3.evaluation.features import colour_features, latent_features
from imagen3.pretrained.systems import System


def test_colours_of_cells() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    found = colour_features(pictures)
    assert found.shape == (2, 96)
    cell = pictures[1, 4:8, 8:12, 2] / 255
    assert np.isclose(found[1, (1 * 4 + 2) * 3 + 2], cell.mean())
    assert np.isclose(found[1, 48 + (1 * 4 + 2) * 3 + 2], cell.std())


def test_latents_of_cells(system: System) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    found = latent_features(system.autoencoder, pictures)
    assert found.shape == (3, 2 * 4 * 16)
    assert np.allclose(latent_features(system.autoencoder, pictures[1:2]), found[1:2], atol=1e-5)
