"""Training of an upsampler: the loss by hand, degradations, and that it learns."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from einops import rearrange
from onepaper.training import LoopOptions
from torch import Tensor

from imagen3.config import UpsamplerConfig
from imagen3.data.pictures import Pictures
from imagen3.diffusion.times import noise_levels
from imagen3.models.positions import frequency_features
from imagen3.presets import PRESETS
from imagen3.pretrained.systems import System
from imagen3.training.cache import FeatureCache, build_cache
from imagen3.training.draws import random_rows
from imagen3.training.upsampler import degrade, picture_pairs, train_upsampler, upsampler_loss
from imagen3.upsampling import enlarge, reduce_size

CONFIG = PRESETS["sr-smoke"].config


def batch_of(system: System, pictures: Pictures, config: UpsamplerConfig) -> tuple[dict[str, Tensor], FeatureCache]:
    numbers = np.arange(len(pictures.pixels))
    cache = build_cache(system.autoencoder, system.encoder, pictures)
    pairs = picture_pairs(config, pictures, numbers, [(0, number) for number in numbers])
    shape = pairs["large"].shape[1:]
    drawn = random_rows(shape, range(len(numbers)), len(numbers), seed=0, step=0, normals=2, uniforms=3)
    return pairs | cache.text(1 + numbers)._asdict() | drawn, cache


@pytest.mark.parametrize("prediction", ["rf", "edm"])
def test_loss_by_hand(prediction: Literal["rf", "edm"], system: System, pictures: Pictures) -> None:
    objective = replace(CONFIG.objective, text_dropout=0.0, prediction=prediction)
    config = replace(CONFIG, objective=objective)
    some = pictures.subset(np.arange(3))
    batch, cache = batch_of(system, some, config)
    seen = []

    def network(*given: object) -> torch.Tensor:
        seen.extend(given)
        return torch.zeros_like(batch["low"])

    total, count, _ = upsampler_loss(config, cache.empty)(network, batch, torch.Generator())  # pyright: ignore
    large = some.pixels.astype(np.float32) / 127.5 - 1
    low = enlarge(reduce_size(some.pixels, 2), 2, "lanczos").astype(np.float32) / 127.5 - 1
    folded = [rearrange(torch.from_numpy(own), "n (h p) (w q) c -> n (c p q) h w", p=2, q=2) for own in (large, low)]
    noise, other = batch["normal"].unbind(1)
    z = 15 * (folded[0] - folded[1])
    t = noise_levels(batch["uniform"][:, 0], objective)[:, None, None, None]
    level = 0.05 * batch["uniform"][:, 2]
    share = level[:, None, None, None]
    noised = (1 - t) * z + t * noise
    # With edm and data of deviation 1, the network is given x / sqrt(sigma^2 + 1), and predicts z_0 from there.
    norm = (t.square() + (1 - t).square()).sqrt() if prediction == "edm" else 1.0
    torch.testing.assert_close(
        seen[0], torch.cat([noised / norm, (1 - share) * folded[1] + share * other], dim=1), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(seen[2].pooled[:, 128:], frequency_features(1000 * level, 256))
    target = (t * z - (1 - t) * noise) / norm if prediction == "edm" else noise - z
    torch.testing.assert_close(total, target.square().mean(dim=(1, 2, 3)).sum())
    assert count == 3


def test_it_learns(system: System, pictures: Pictures) -> None:
    """With a small picture beside it, the network is better than the prediction 0 after a few steps."""
    config = replace(CONFIG, training=replace(CONFIG.training, optimizer=replace(CONFIG.training.optimizer, lr=4e-3)))
    upsampler, finished = train_upsampler(config, system, pictures, loop=LoopOptions(40))
    assert finished
    batch, cache = batch_of(system, pictures.subset(pictures.indices("train", selected=True)[:64]), CONFIG)
    with torch.inference_mode():
        total, _, more = upsampler_loss(CONFIG, cache.empty)(upsampler.denoiser, batch, torch.Generator())
    assert float(total) < 0.97 * float(more["zero_loss"])


def test_a_degraded_picture_depends_on_its_seed_only(pictures: Pictures) -> None:
    config = replace(CONFIG, degraded_share=1.0)
    whole = picture_pairs(config, pictures, np.arange(3), [(0, 1), (0, 2), (0, 3)])
    alone = picture_pairs(config, pictures, np.array([2]), [(0, 3)])
    assert torch.equal(whole["low"][2:], alone["low"])
    plain = picture_pairs(CONFIG, pictures, np.arange(3), [(0, 1), (0, 2), (0, 3)])
    assert torch.equal(whole["large"], plain["large"])
    assert not torch.equal(whole["low"], plain["low"])


def test_degradations(pictures: Pictures) -> None:
    picture = pictures.pixels[0]
    found = degrade(picture, np.random.default_rng(0))
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    assert np.array_equal(found, degrade(picture, np.random.default_rng(0)))
    error = np.abs(found.astype(int) - picture).mean()
    assert 0.1 < error < 20
