"""Clips, folders of synthetic sound and a small network for the tests that only read them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onepaper.audio import write_wav

from audio_datasets.config import DataConfig, EndToEndConfig
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.models.emo18 import EndToEnd
from audio_datasets.pretrained.networks import Network, save_network

CLASSES = ("high", "low", "noise")


def tone(frequency: float, seconds: float = 0.4, rate: int = 16_000) -> np.ndarray:
    """A sine of amplitude 0.5."""
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> ClipSet:
    """24 clips of 6 speakers in three splits; the class is easy to hear, and rates are mixed."""
    folder = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(0)
    clips = []
    for index in range(24):
        label, speaker = CLASSES[index % 3], f"speaker-{index // 4}"
        rate = (16_000, 22_050)[index % 2]
        if label == "noise":
            samples = (0.1 * generator.standard_normal(6000)).astype(np.float32)
        else:
            samples = tone({"high": 600, "low": 120}[label] * generator.uniform(0.9, 1.1), rate=rate)
        path = write_wav(folder / f"{index}.wav", samples, rate)
        split = ("train", "train", "train", "validation", "test", "test")[index // 4]
        clips.append(Clip(f"{index}", path, speaker, split, label))
    return ClipSet("sounds", tuple(clips), classes=CLASSES)


@pytest.fixture(scope="session")
def bursts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the A-VB release with 12 clips; ratings of the test split are blank."""
    root = tmp_path_factory.mktemp("bursts")
    (root / "audio" / "wav").mkdir(parents=True)
    (root / "labels").mkdir()
    rows, types = ["File_ID,Split,Valence,Arousal"], ["File_ID,Split,Voc_Type"]
    generator = np.random.default_rng(1)
    for index in range(12):
        split = ("Train", "Val", "Test")[index // 4]
        pitch = 100 + 80 * (index % 4)
        write_wav(root / "audio" / "wav" / f"{index:05d}.wav", tone(pitch, 0.3), 16_000)
        ratings = f"{(index % 4) / 4 + 0.1:.3f},{generator.random():.3f}"
        rows.append(f"[{index:05d}],{split},{',' if split == 'Test' else ratings}")
        types.append(f"[{index:05d}],{split},{'' if split == 'Test' else ('Gasp', 'Laugh')[index % 2]}")
    (root / "labels" / "two_info.csv").write_text("\n".join(rows) + "\n")
    (root / "labels" / "type_info.csv").write_text("\n".join(types) + "\n")
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with random weights for the default set."""
    from audio_datasets.data.hedgewars import CLASSES as VOICE_CLASSES

    torch.manual_seed(0)
    model = EndToEnd(EndToEndConfig(hidden=16, layers=1, normalize=True)).eval()
    folder = tmp_path_factory.mktemp("weights") / "network"
    return save_network(folder, Network(model, DataConfig(), VOICE_CLASSES))
