"""Cards are complete single files, also for sets with ratings, without labels, or with broken files."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import audio_info, read_audio
from PIL import Image

from audio_datasets.cards import card
from audio_datasets.cards.card import choose_clips, spectrogram_png, write_card
from audio_datasets.catalogue.records import get_record
from audio_datasets.data.clips import Clip, ClipSet


def test_card(sounds: ClipSet, tmp_path: Path) -> None:
    path = tmp_path / "card.html"
    broken = Clip("broken", tmp_path / "<missing>.wav", "speaker-0", "train", "high")
    assert len(write_card(path, replace(sounds, clips=(*sounds.clips, broken)), get_record("crema-d"), players=6)) == 1
    text = path.read_text()
    assert text.count("<audio") == text.count("<img") == 6
    assert "ODbL-1.0" in text
    assert "not verified" in text
    assert not re.search(r'(?:src|href)="(?!data:|http)', text)
    sound = base64.b64decode(re.search(r"data:audio/wav;base64,([^\"]+)", text)[1])  # type: ignore[index]
    assert sound[:4] == b"RIFF"


def test_ratings_and_escaping(sounds: ClipSet, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    clips = tuple(
        clip._replace(label="", text="<b>", targets=(value, 1 - value, 0.5))
        for clip, value in zip(sounds.clips, generator.random(24), strict=True)
    )
    write_card(tmp_path / "card.html", ClipSet("rated", clips, ("Awe", "Fear", "Flat")), None, players=2)
    text = (tmp_path / "card.html").read_text()
    assert "-1.00" in text
    assert "unknown: ask the owner" in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "nan" not in text.lower().replace("data:", "")[: text.find("data:")]


def test_lengths_come_from_headers(sounds: ClipSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decoded, unless a header declares no length; a clip after the end of its file is a problem."""
    clips = [clip for each in sounds.clips[:4] for clip in (each, each._replace(id=f"{each.id}-part", start=0.1))]
    clips.append(clips[0]._replace(id="short", start=0.1, seconds=0.2))
    expected = [read_audio(clip.path, start=clip.start, seconds=clip.seconds).seconds for clip in clips]
    clips.append(clips[0]._replace(id="after", start=9.0))
    monkeypatch.setattr(card, "read_audio", None)
    found, problems = card._durations(ClipSet("lengths", tuple(clips)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(problems) == 1
    assert "has no samples after 9 s" in problems[0]
    monkeypatch.setattr(card, "audio_info", lambda path: audio_info(path)._replace(frames=0))
    monkeypatch.setattr(card, "read_audio", read_audio)
    assert card._durations(ClipSet("lengths", tuple(clips)))[0] == expected


def test_choice_is_even(sounds: ClipSet) -> None:
    chosen = choose_clips(sounds, 9)
    assert [sum(clip.label == label for clip in chosen) for label in sounds.classes] == [3, 3, 3]
    assert choose_clips(sounds, 9) == chosen
    assert len(choose_clips(sounds, 100)) == 24


@pytest.mark.parametrize("frequency", [300, 3000])
def test_spectrogram(frequency: float) -> None:
    """The bright row of a tone is low for a low frequency."""
    samples = np.sin(2 * np.pi * frequency * np.arange(8000) / 16_000).astype(np.float32)
    picture = np.asarray(Image.open(io.BytesIO(spectrogram_png(samples, 16_000)))).sum(axis=2)
    row = int(picture.mean(axis=1).argmax()) / len(picture)
    assert row > 0.75 if frequency == 300 else row < 0.45
