"""The public autoencoder: counts, shapes, normalised latents; its equality with diffusers is in tests/pretrained."""

from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.config import AutoencoderConfig
from imagen3.models.kl_autoencoder import KLAutoencoder

PUBLIC = AutoencoderConfig(4, factor=8, blocks=2, kind="kl", widths=(128, 256, 512, 512), quantized=True)


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (PUBLIC, 83_653_863),
        (replace(PUBLIC, channels=16, quantized=False), 83_819_683),
    ],
)
def test_counts(config: AutoencoderConfig, published: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in KLAutoencoder(config).parameters()) == published


def test_shapes_and_errors() -> None:
    model = KLAutoencoder(AutoencoderConfig(4, factor=4, kind="kl", widths=(32, 32, 64)))
    latents = model.encode(torch.rand(2, 3, 16, 8))
    assert latents.mean.shape == (2, 4, 4, 2)
    assert model.decode(latents.mean).shape == (2, 3, 16, 8)
    model.scale.fill_(1.5)
    model.shift.fill_(0.06)
    torch.testing.assert_close(model.unnormalize(model.normalize(latents.mean)), latents.mean)
    with pytest.raises(UsageError, match="multiples of 4"):
        model.encode(torch.rand(1, 3, 16, 10))
