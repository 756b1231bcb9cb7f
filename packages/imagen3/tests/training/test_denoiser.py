"""Training of the denoiser: the loss by hand, dropped texts, and resuming to the same bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.runs import Run
from onepaper.training import LoopOptions

from imagen3.config import SystemConfig
from imagen3.data.buckets import Ragged
from imagen3.data.pictures import Pictures, WeightedPictures
from imagen3.diffusion.times import noise_levels
from imagen3.pretrained.systems import System
from imagen3.text.encoder import TextFeatures
from imagen3.training.cache import CaptionChoice, FeatureCache, build_cache, read_cache, save_cache
from imagen3.training.denoiser import denoiser_loss, drop_text, held_out_loss, make_batch, train_denoiser


@pytest.fixture(scope="module")
def cache(system: System, pictures: Pictures) -> FeatureCache:
    return build_cache(system.autoencoder, system.encoder, pictures)


def test_loss_by_hand(config: SystemConfig, system: System, cache: FeatureCache) -> None:
    config = replace(config, objective=replace(config.objective, text_dropout=0.0, shift=2.0))
    texts = np.array([1, 9, 20])
    text = cache.text(texts)
    batch = make_batch(cache, np.arange(3), texts, range(3), seed=2, step=5)
    loss = denoiser_loss(config, system.autoencoder, cache.empty)
    total, count, logged = loss(system.denoiser, batch, torch.Generator())
    sample, noise = batch["normal"][:, 0], batch["normal"][:, 1]
    z = cache.mean[:3] + torch.exp(cache.log_variance[:3] / 2) * sample
    z = (z - system.autoencoder.shift) * system.autoencoder.scale
    t = noise_levels(batch["uniform"][:, 0], config.objective)
    noised = torch.stack([(1 - level) * own + level * other for level, own, other in zip(t, z, noise, strict=True)])
    errors = system.denoiser(noised, t, text) - noise + z
    torch.testing.assert_close(total, errors.square().mean(dim=(1, 2, 3)).sum())
    torch.testing.assert_close(logged["zero_loss"], (noise - z).square().mean(dim=(1, 2, 3)).sum())
    assert count == 3


@pytest.mark.parametrize("prediction", ["v", "edm"])
def test_other_objectives_learn(
    prediction: str, config: SystemConfig, system: System, cache: FeatureCache, pictures: Pictures
) -> None:
    """A few steps are better than the prediction 0, which is that of the untrained network."""
    config = replace(config, objective=replace(config.objective, prediction=prediction))
    model, _ = train_denoiser(config, system.autoencoder, cache, pictures, loop=LoopOptions(30))
    loss = denoiser_loss(config, system.autoencoder, cache.empty)
    numbers = pictures.indices("train", selected=True)
    found = held_out_loss(model, loss, cache, numbers, CaptionChoice(cache, 0.0))
    assert found["loss"] < 0.97 * found["zero_loss"]


@pytest.mark.parametrize("kind", ["flux", "cross-dit", "linear-dit", "uvit"])
def test_every_kind_learns(
    kind: str, config: SystemConfig, system: System, cache: FeatureCache, pictures: Pictures
) -> None:
    """A few steps are better than the prediction 0, which is that of the untrained network."""
    denoiser = replace(config.denoiser, kind=kind, single_depth=1 if kind == "flux" else 0)
    config = replace(config, denoiser=denoiser)
    model, _ = train_denoiser(config, system.autoencoder, cache, pictures, loop=LoopOptions(20))
    loss = denoiser_loss(config, system.autoencoder, cache.empty)
    numbers = pictures.indices("train", selected=True)
    found = held_out_loss(model, loss, cache, numbers, CaptionChoice(cache, 0.0))
    assert found["loss"] < 0.97 * found["zero_loss"]


def test_dropped_texts() -> None:
    text = TextFeatures(torch.ones(1000, 2, 3), torch.ones(1000, 2, dtype=torch.bool), torch.ones(1000, 3))
    empty = TextFeatures(torch.zeros(1, 2, 3), torch.tensor([[True, False]]), torch.zeros(1, 3))
    dropped = torch.rand(1000, generator=torch.Generator().manual_seed(0)) < 0.25
    found = drop_text(text, empty, dropped)
    assert torch.equal(found.pooled[:, 0] == 0, dropped)
    assert torch.equal(found.tokens[:, 0, 0] == 0, dropped)
    assert torch.equal(~found.mask[:, 1], dropped)


def test_resumed_training_has_the_same_bits(
    config: SystemConfig, system: System, cache: FeatureCache, pictures: Pictures, tmp_path: Path
) -> None:
    loop = config.denoiser_training.loop

    def train(folder: str, steps: int) -> dict[str, torch.Tensor]:
        run = Run(tmp_path / folder, {"config": {}})
        model, finished = train_denoiser(
            config, system.autoencoder, cache, pictures, run, loop=replace(loop, steps=steps), seed=5
        )
        assert finished
        return model.state_dict()

    whole = train("whole", 6)
    train("parts", 3)
    for name, value in train("parts", 6).items():
        assert torch.equal(value, whole[name]), name


def test_evaluation_and_samples_change_nothing(
    config: SystemConfig, system: System, cache: FeatureCache, pictures: Pictures, tmp_path: Path
) -> None:
    loop, found = config.denoiser_training.loop, []
    for every in (0, 2):
        run = Run(tmp_path / str(every), {"config": {}})
        model, _ = train_denoiser(
            config,
            system.autoencoder,
            cache,
            pictures,
            run,
            loop=replace(loop, evaluate_every=every),
            draw=lambda _: {"x.txt": b"drawn"},
        )
        found.append(model.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert (tmp_path / "2" / "samples" / "index.html").is_file()


def test_several_sizes_and_weights(config: SystemConfig, system: System, pictures: Pictures, tmp_path: Path) -> None:
    """Pictures of two sizes are learned from, one size a batch, and a resumed training has the same bits."""
    rows = [own[:, 8:24] if number % 2 else own for number, own in enumerate(pictures.pixels[:40])]
    few = WeightedPictures(
        Ragged.of(rows),
        pictures.captions[:40],
        ["validation" if number % 10 < 2 else "train" for number in range(40)],
        [True] * 40,
        weights=[1.0 + number % 3 for number in range(40)],
    )
    save_cache(tmp_path, build_cache(system.autoencoder, system.encoder, few))
    cache, loop = read_cache(tmp_path), config.denoiser_training.loop
    assert {tuple(cache.mean[np.array([number])].shape[2:]) for number in range(40)} == {(8, 8), (8, 4)}

    def train(folder: str, steps: int) -> dict[str, torch.Tensor]:
        run = Run(tmp_path / folder, {"config": {}})
        own = replace(loop, steps=steps, evaluate_every=2)
        return train_denoiser(config, system.autoencoder, cache, few, run, loop=own, seed=5)[0].state_dict()

    whole = train("whole", 6)
    train("parts", 3)
    assert all(torch.equal(value, whole[name]) for name, value in train("parts", 6).items())
