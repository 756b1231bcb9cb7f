"""Training of an upsampler: the loss by hand, degradations, and that it learns."""

from dataclasses import replace

import numpy as np
import torch
from onepaper.training import LoopOptions

from imagen3.data.pictures import Pictures
from imagen3.diffusion.times import noise_levels
from imagen3.models.positions import frequency_features
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.training.cache import build_cache
from imagen3.training.denoiser import make_batch
from imagen3.training.upsampler import degrade, low_latents, train_upsampler, upsampler_loss

CONFIG = PRESETS["sr-smoke"].config


def test_loss_by_hand(system: System, pictures: Pictures) -> None:
    config = replace(CONFIG, objective=replace(CONFIG.objective, text_dropout=0.0))
    some = pictures.subset(np.arange(3))
    cache = build_cache(system.autoencoder, system.encoder, some)
    low = low_latents(system, some, 0.0, 0)
    texts = np.array([1, 2, 3])
    batch = make_batch(cache, np.arange(3), texts, range(3), normals=3, uniforms=3) | {"low": low}
    seen = []

    def network(*given: object) -> torch.Tensor:
        seen.extend(given)
        return torch.zeros_like(low)

    total, count, _ = upsampler_loss(config, system.autoencoder, cache.empty)(
        network,
        batch,
        torch.Generator(),  # pyright: ignore
    )
    sample, noise, other = batch["normal"].unbind(1)
    z = cache.mean + torch.exp(cache.log_variance / 2) * sample
    z = (z - system.autoencoder.shift) * system.autoencoder.scale
    t = noise_levels(batch["uniform"][:, 0], config.objective)[:, None, None, None]
    level = 0.5 * batch["uniform"][:, 2]
    share = level[:, None, None, None]
    expected = torch.cat([(1 - t) * z + t * noise, (1 - share) * low + share * other], dim=1)
    torch.testing.assert_close(seen[0], expected)
    torch.testing.assert_close(seen[2].pooled[:, 128:], frequency_features(1000 * level, 256))
    torch.testing.assert_close(total, (noise - z).square().mean(dim=(1, 2, 3)).sum())
    assert count == 3


def test_it_learns(system: System, pictures: Pictures) -> None:
    """With a small picture beside it, the network is better than the prediction 0 after a few steps."""
    upsampler, finished = train_upsampler(CONFIG, system, pictures, loop=LoopOptions(20))
    assert finished
    cache = build_cache(system.autoencoder, system.encoder, pictures)
    numbers = pictures.indices("train", selected=True)[:64]
    empty = np.zeros(64, np.int64)
    batch = make_batch(cache, numbers, empty, range(64), normals=3, uniforms=3)
    batch["low"] = low_latents(system, pictures, 0.0, 0)[numbers]
    loss = upsampler_loss(CONFIG, system.autoencoder, cache.empty)
    with torch.inference_mode():
        total, _, more = loss(upsampler.denoiser, batch, torch.Generator())
    assert float(total) < 0.97 * float(more["zero_loss"])


def test_degradations(pictures: Pictures) -> None:
    picture = pictures.pixels[0]
    found = degrade(picture, np.random.default_rng(0))
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    assert np.array_equal(found, degrade(picture, np.random.default_rng(0)))
    error = np.abs(found.astype(int) - picture).mean()
    assert 0.1 < error < 20
