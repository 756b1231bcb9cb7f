"""The autoencoder: shapes, divergence, errors, and latents of unit variance."""

from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.torch.state_files import save_pretrained
from torch.distributions import Normal, kl_divergence

from imagen3.config import AutoencoderConfig
from imagen3.models.autoencoder import Autoencoder, Latents, picture_error
from imagen3.models.networks import open_network


@pytest.mark.parametrize("factor", [4, 8])
def test_shapes(factor: int, tmp_path: Path) -> None:
    model = Autoencoder(AutoencoderConfig(width=8, factor=factor)).eval()
    pictures = torch.rand(2, 3, 32, 16)
    latents = model.encode(pictures)
    assert latents.mean.shape == (2, 4, 32 // factor, 16 // factor)
    decoded = model.decode(latents.mean)
    assert decoded.shape == pictures.shape
    again = open_network(save_pretrained(tmp_path, model, model.config))
    assert torch.equal(again.decode(again.encode(pictures).mean), decoded)
    with pytest.raises(UsageError, match=f"multiples of {factor}"):
        model.encode(torch.rand(1, 3, 32, 15))


def test_divergence_and_samples() -> None:
    latents = Latents(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4))
    normal = Normal(latents.mean, (latents.log_variance / 2).exp())
    expected = kl_divergence(normal, Normal(0.0, 1.0)).sum(dim=(1, 2, 3))
    torch.testing.assert_close(latents.divergence(), expected)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([latents.draw(generator) for _ in range(4000)])
    torch.testing.assert_close(draws.std(0), normal.stddev, rtol=0.1, atol=0.05)


def test_error_of_pictures() -> None:
    """A constant offset has no edges; one column that differs has two."""
    pictures = torch.zeros(1, 3, 8, 8)
    torch.testing.assert_close(picture_error(pictures + 0.5, pictures, 1.0), torch.tensor([0.5]))
    column = pictures.clone()
    column[..., 3] = 1.0
    scales = 8 * 2 / (8 * 7) + 4 * 0.5 * 2 / (4 * 3) + 2 * 0.25 * 1 / 2
    torch.testing.assert_close(picture_error(column, pictures, 3.0), torch.tensor([1 / 8 + scales]))


def test_normalisation_is_inverted() -> None:
    model = Autoencoder(AutoencoderConfig(width=8))
    model.scale.fill_(2.5)
    model.shift.fill_(-0.3)
    z = torch.randn(1, 4, 2, 2)
    torch.testing.assert_close(model.unnormalize(model.normalize(z)), z)
    torch.testing.assert_close(model.normalize(z), (z + 0.3) * 2.5)
