"""Clips, folders of synthetic sound and a small network for the tests that only read them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onepaper.audio import write_wav

from audio_datasets.config import DataConfig, EndToEndConfig
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.models.emo18 import EndToEnd
from audio_datasets.pretrained.networks import Network, save_network
from audio_datasets.tasks.definitions import BURST_EMOTIONS, PROSODY_EMOTIONS

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
    high = [f"File_ID,Split,{','.join(BURST_EMOTIONS)}"]
    for index in range(12):
        split = ("Train", "Val", "Test")[index // 4]
        ratings = ["" if split == "Test" else f"{0.1 + 0.2 * (index % 4):.3f}"] * len(BURST_EMOTIONS)
        high.append(f"[{index:05d}],{split},{','.join(ratings)}")
    (root / "labels" / "high_info.csv").write_text("\n".join(high) + "\n")
    (root / "labels" / "type_info.csv").write_text("\n".join(types) + "\n")
    return root


@pytest.fixture(scope="session")
def exvo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the ExVo release: four speakers with four clips each, and a test speaker with two labelled clips.

    Ratings follow the pitch and an offset of each speaker.
    """
    root = tmp_path_factory.mktemp("exvo")
    (root / "wav").mkdir()
    rows = [f"File_ID,Split,Subject_ID,Country,Age,{','.join(BURST_EMOTIONS)}"]
    for index in range(20):
        speaker = index // 4
        split, level = ("Train", "Train", "Val", "Val", "Test")[speaker], index % 4
        write_wav(root / "wav" / f"{index:05d}.wav", tone(100 + 80 * level, 0.3), 16_000)
        ratings = [f"{0.1 + 0.15 * level + 0.1 * (speaker % 2) + 0.01 * place:.3f}" for place in range(10)]
        blind = split == "Test" and level >= 2
        labels = ["", "", *[""] * 10] if blind else [str(index % 2), str(20 + speaker), *ratings]
        rows.append(f"[{index:05d}],{split},Speaker_{speaker},{','.join(labels)}")
    (root / "data_info.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="session")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the ComParE release of Hume-Prosody with 12 clips; ratings of the test split are masked."""
    root = tmp_path_factory.mktemp("prosody")
    for folder in ("wav", "lab"):
        (root / folder).mkdir()
    for number, split in enumerate(("train", "devel", "test")):
        lines = [f"filename,subject_id,{','.join(PROSODY_EMOTIONS)}"]
        for index in range(4):
            name = f"{split}_{index}.wav"
            write_wav(root / "wav" / name, tone(100 + 80 * index, 0.3), 16_000)
            ratings = ["?" if split == "test" else f"{0.1 + 0.2 * index:.3f}"] * len(PROSODY_EMOTIONS)
            lines.append(f"{name},{number},{','.join(ratings)}")
        (root / "lab" / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def sonata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of Modulate-Sonata with two classes; one actor is in several splits."""
    root = tmp_path_factory.mktemp("sonata")
    lines = ["path,actor,emotion,split"]
    for index in range(12):
        label, split = ("triumph", "awe")[index % 2], ("train", "validation", "test")[index // 4]
        write_wav(root / f"{index}.wav", tone((200, 700)[index % 2] + 5 * index, 0.3), 16_000)
        lines.append(f"{index}.wav,{'ab'[index == 0]},{label},{split}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def small_encoder() -> dict[str, Any]:
    """Settings of an encoder with two narrow layers, for the configurations of transformers."""
    return {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 5,
        "conv_dim": (8, 8), "conv_kernel": (10, 4), "conv_stride": (5, 4), "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip


@pytest.fixture(scope="session")
def encoder(small_encoder: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wav2vec2 with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "small"
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**small_encoder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with random weights for the default set."""
    from audio_datasets.data.examples.hedgewars import CLASSES as VOICE_CLASSES

    torch.manual_seed(0)
    model = EndToEnd(EndToEndConfig(hidden=16, layers=1, normalize=True)).eval()
    folder = tmp_path_factory.mktemp("weights") / "network"
    return save_network(folder, Network(model, DataConfig(), VOICE_CLASSES))
