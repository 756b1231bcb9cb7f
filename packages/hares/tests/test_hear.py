"""The HEAR interface: shapes, times, determinism, short clips; and other modules as embeddings."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from onepaper.errors import UsageError

from hares.hear import (
    HearEmbedding,
    HearModel,
    get_scene_embeddings,
    get_timestamp_embeddings,
    load_model,
    open_embedding,
)
from hares.models.encoder import Encoder


@pytest.mark.parametrize("samples", [100, 16_000, 20_001])
def test_interface(tiny: Encoder, samples: int) -> None:
    model = HearModel(tiny)
    audio = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    scene = get_scene_embeddings(audio, model)
    assert scene.shape == (2, model.scene_embedding_size)
    assert scene.dtype == torch.float32
    embeddings, times = get_timestamp_embeddings(audio, model)
    assert embeddings.shape == (*times.shape, model.timestamp_embedding_size)
    # Every 50 ms from 25 ms on, within a clip that has 50 ms.
    torch.testing.assert_close(times[0], 25.0 + 50.0 * torch.arange(times.shape[1]))
    assert samples < 800 or times.max() < samples / 16
    torch.testing.assert_close(get_scene_embeddings(audio, model), scene)


def test_a_window_is_centred_at_its_time(tiny: Encoder) -> None:
    model = HearModel(tiny)
    audio = 0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))
    embeddings, times = get_timestamp_embeddings(audio, model)
    centre = round(float(times[0, 20]) * 16)
    torch.testing.assert_close(embeddings[:, 20], model(audio[:, centre - 8000 : centre + 8000]))


def test_another_module_is_an_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("other_hear")
    other.load_model = lambda path: SimpleNamespace(sample_rate=16_000)  # type: ignore[attr-defined]
    other.get_scene_embeddings = lambda audio, model: audio.mean(1, keepdim=True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "other_hear", other)
    embedding = open_embedding("hear:other_hear")
    assert isinstance(embedding, HearEmbedding)
    assert embedding.rate == 16_000
    assert embedding(torch.ones(2, 5)).tolist() == [[1.0], [1.0]]
    other.load_model = lambda path: SimpleNamespace(sample_rate=8000)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="8000"):
        HearEmbedding("other_hear")


@pytest.mark.parametrize(("name", "expected"), [("no_such_module", "cannot import"), ("json", "no load_model")])
def test_modules_without_the_interface_are_refused(name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        HearEmbedding(name)


def test_the_shipped_network_is_the_default() -> None:
    model, shipped = load_model(), open_embedding("simclr")
    audio = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(get_scene_embeddings(audio, model), shipped(audio).detach())


def test_empty_audio_is_refused(tiny: Encoder) -> None:
    with pytest.raises(UsageError, match="at least one sample"):
        get_scene_embeddings(torch.zeros(1, 0), HearModel(tiny))
