"""Tasks of the suite scored on small trees: folds, slots, tags, and clips that must not be seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.audio import write_wav
from onepaper.errors import UsageError
from torch import Tensor

from hares.data.tasks import TASKS, task_of
from hares.features.store import FeatureStore
from hares.scoring import embed_clips, part_seconds, score_task
from hares.suite.records import SuiteClip, SuiteData

Maker = Callable[..., SuiteData]


class Spectrum:
    """Share of the energy in 16 bands: pitch, nearly."""

    rate = 8000

    def __call__(self, samples: Tensor) -> Tensor:
        power = torch.fft.rfft(samples, dim=1).abs().square()
        bands = torch.stack([part.sum(1) for part in power.tensor_split(16, dim=1)], 1)
        return bands / bands.sum(1, keepdim=True).clamp(min=1e-9)


class Names:
    """A random vector for each waveform: who has seen a clip knows its label, and no other one's."""

    rate = 8000

    def __call__(self, samples: Tensor) -> Tensor:
        seeds = [int(value) for value in samples.double().abs().sum(1) * 1e6]
        return torch.stack([torch.randn(100, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Clips of a task; class k is a tone of 500 (1 + k) Hz, in noise."""

    def write(name: str, parts: list[str], seconds: float, classes: int = 3) -> SuiteData:
        generator = np.random.default_rng(0)
        clips = []
        for index, part in enumerate(parts):
            label = index % classes
            time = np.arange(round(seconds * 8000)) / 8000
            samples = 0.3 * np.sin(2 * np.pi * 500 * (1 + label) * time) + 0.05 * generator.standard_normal(len(time))
            path = write_wav(tmp_path / f"{index}.wav", samples.astype(np.float32), 8000)
            clips.append(SuiteClip(path, part, (label,)))
        return SuiteData(task_of(name), tuple(clips), (tuple(map(str, range(classes))),))

    return write


def test_a_split(make: Maker) -> None:
    data = make("voxforge", 30 * ["train"] + 9 * ["validation"] + 12 * ["test"], 0.2)
    result = score_task(Spectrum(), data)
    assert (result.score, result.clips, result.probe, result.note) == (1.0, 12, "logistic", "")
    assert result.interval is not None
    seen = score_task(Names(), data)
    assert seen.score < 0.8
    # Without a validation part, a tenth of the training chooses the setting.
    without = replace(data, clips=tuple(clip for clip in data.clips if clip.part != "validation"))
    assert score_task(Spectrum(), without).score == 1.0
    with pytest.raises(UsageError, match="too few training clips"):
        score_task(Spectrum(), replace(without, clips=without.clips[29:]))


def test_folds(make: Maker) -> None:
    data = make("esc50", [str(1 + index // 6) for index in range(30)], 0.2)
    assert score_task(Spectrum(), data).probe == "svm"
    result = score_task(Spectrum(), data, "ridge")
    assert (result.score, result.clips) == (1.0, 30)
    assert score_task(Names(), data, "ridge").score < 0.7


def test_slots(make: Maker) -> None:
    """A clip is right if all slots are."""
    data = make("fluent_speech_commands", 30 * ["train"] + 9 * ["validation"] + 12 * ["test"], 0.2)
    slots = replace(
        data,
        clips=tuple(clip._replace(labels=(clip.labels[0], index % 2, 0)) for index, clip in enumerate(data.clips)),
        heads=(("0", "1", "2"), ("a", "b"), ("c",)),
    )
    whole = score_task(Spectrum(), slots, "ridge").score
    assert 0.2 < whole < 0.9  # the second slot cannot be heard
    assert score_task(Spectrum(), data, "ridge").score == 1.0


def test_tags(make: Maker) -> None:
    data = make("magnatagatune", 30 * ["train"] + 9 * ["validation"] + 12 * ["test"], 0.2)
    tags = replace(
        data,
        clips=tuple(clip._replace(labels=(*clip.labels, 3)) for clip in data.clips),
        heads=(("a", "b", "c", "d", "e"),),
    )
    result = score_task(Spectrum(), tags)
    assert result.score == pytest.approx(1.0)
    assert result.interval is None
    assert result.note == "1 classes have no test clip"


@pytest.mark.parametrize(("name", "seconds", "count"), [("voxforge", 7.5, 3), ("audioset", 4.0, 10), ("esc50", 1.0, 1)])
def test_parts(make: Maker, name: str, seconds: float, count: int) -> None:
    data = make(name, ["1", "2"] if name == "esc50" else ["train", "test"], seconds)
    features, owners = embed_clips(Spectrum(), data)
    assert owners.tolist() == count * [0] + count * [1]
    assert features.shape == (2 * count, 16)


def test_every_task_has_a_length() -> None:
    assert all(part_seconds(task) > 0 for task in TASKS)


def test_features_are_kept_for_equal_audio(make: Maker, tmp_path: Path) -> None:
    class Counting(Spectrum):
        identity, calls = "spectrum", 0

        def __call__(self, samples: Tensor) -> Tensor:
            self.calls += 1
            return super().__call__(samples)

    data, store = (
        make("voxforge", 24 * ["train"] + 6 * ["validation"] + 6 * ["test"], 0.2),
        FeatureStore(tmp_path / "f"),
    )
    embedding = Counting()
    first = score_task(embedding, data, store=store)
    calls = embedding.calls
    assert score_task(embedding, data, store=store) == first == score_task(Spectrum(), data)
    assert embedding.calls == calls
    # One sample of one file changes.
    path = data.clips[3].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    score_task(embedding, data, store=store)
    assert embedding.calls == 2 * calls
