"""Training of the autoencoder: the loss by hand, learning, and latents of unit variance."""

from dataclasses import replace

import pytest
import torch

from imagen3.config import SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.models.autoencoder import Autoencoder, picture_error
from imagen3.sampling import from_bytes
from imagen3.training.autoencoder import autoencoder_loss, encode_all, psnr, train_autoencoder


def test_loss_by_hand(config: SystemConfig, pictures: Pictures) -> None:
    config = replace(config, kl_weight=0.1)
    torch.manual_seed(0)
    model, batch = Autoencoder(config.autoencoder), from_bytes(pictures.pixels[:3])
    latents = model.encode(batch)
    noise = torch.randn(latents.mean.shape, generator=torch.Generator().manual_seed(1))
    given = {"pictures": batch, "normal": noise[:, None]}
    total, count, logged = autoencoder_loss(config)(model, given, torch.Generator())
    decoded = model.decode(latents.draw(torch.Generator().manual_seed(1)))
    error = picture_error(decoded, batch, config.edge_weight)
    torch.testing.assert_close(total, (error + 0.1 * latents.divergence() / 32**2).sum())
    assert count == 3
    torch.testing.assert_close(logged["picture_error"], error.sum())


def test_learning_and_normalisation(config: SystemConfig, pictures: Pictures) -> None:
    torch.manual_seed(0)
    before = psnr(Autoencoder(config.autoencoder).eval(), pictures.pixels[:64])
    training = config.autoencoder_training
    longer = replace(training, loop=replace(training.loop, steps=30))
    model, finished = train_autoencoder(replace(config, autoencoder_training=longer), pictures)
    assert finished
    assert psnr(model, pictures.pixels[:64]) > before + 2
    latents = encode_all(model, pictures.pixels[pictures.indices("train")])
    normal = model.normalize(latents.draw(torch.Generator().manual_seed(0)))
    assert float(normal.mean()) == pytest.approx(0, abs=0.02)
    assert float(normal.std()) == pytest.approx(1, abs=0.02)


def test_psnr_of_a_constant_error(pictures: Pictures) -> None:
    class Darker(torch.nn.Module):
        scale = torch.ones(())

        def encode(self, x: torch.Tensor) -> object:
            return type("Found", (), {"mean": x})

        def decode(self, x: torch.Tensor) -> torch.Tensor:
            return x.clamp(min=-0.8) - 0.2

    grey = pictures.pixels[:4] * 0 + 128
    assert psnr(Darker(), grey) == pytest.approx(20.0, abs=1e-3)  # 10 log10(4 / 0.04)
