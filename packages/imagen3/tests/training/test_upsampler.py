"""Training of an upsampler: the loss by hand, degradations, and that it learns."""

from dataclasses import replace

import numpy as np
import torch
from onepaper.training import LoopOptions

from imagen3.data.pictures import Pictures
from imagen3.diffusion.times import noise_levels, stratified
from imagen3.models.positions import frequency_features
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.training.cache import build_cache
from imagen3.training.upsampler import degrade, low_latents, train_upsampler, upsampler_loss

CONFIG = PRESETS["sr-smoke"].config


def test_loss_by_hand(system: System, pictures: Pictures) -> None:
    config = replace(CONFIG, objective=replace(CONFIG.objective, text_dropout=0.0))
    some = pictures.subset(np.arange(3))
    cache = build_cache(system.autoencoder, system.encoder, some)
    low = low_latents(system, some, 0.0, 0)
    text = cache.text(np.array([1, 2, 3]))
    batch = {"mean": cache.mean, "log_variance": cache.log_variance, "low": low, **text._asdict()}
    seen = []

    def network(*given: object) -> torch.Tensor:
        seen.extend(given)
        return torch.zeros_like(low)

    total, count, _ = upsampler_loss(config, system.autoencoder, cache.empty)(
        network,
        batch,
        torch.Generator().manual_seed(1),  # pyright: ignore
    )
    generator = torch.Generator().manual_seed(1)
    z = cache.mean + torch.exp(cache.log_variance / 2) * torch.randn(low.shape, generator=generator)
    z = (z - system.autoencoder.shift) * system.autoencoder.scale
    torch.rand(3, generator=generator)
    t = noise_levels(stratified(3, generator), config.objective)[:, None, None, None]
    level = 0.5 * torch.rand(3, generator=generator)
    noise, other = torch.randn(low.shape, generator=generator), torch.randn(low.shape, generator=generator)
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
    batch = {
        "mean": cache.mean[numbers],
        "log_variance": cache.log_variance[numbers],
        "low": low_latents(system, pictures, 0.0, 0)[numbers],
        **cache.text(np.zeros(64, np.int64))._asdict(),
    }
    loss = upsampler_loss(CONFIG, system.autoencoder, cache.empty)
    with torch.inference_mode():
        total, _, more = loss(upsampler.denoiser, batch, torch.Generator().manual_seed(0))
    assert float(total) < 0.97 * float(more["zero_loss"])


def test_degradations(pictures: Pictures) -> None:
    picture = pictures.pixels[0]
    found = degrade(picture, np.random.default_rng(0))
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    assert np.array_equal(found, degrade(picture, np.random.default_rng(0)))
    error = np.abs(found.astype(int) - picture).mean()
    assert 0.1 < error < 20
