"""A small tree of the packages becomes three tasks whose folds hold out voices or texts."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.errors import UsageError

from hares.data import prompts
from hares.data.mini import mini_task

INTENTS = ("vm", "conf", "dir")


def write(path: Path, seconds: float = 1.0, hertz: float = 500.0) -> None:
    """A tone in the format that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".g722":
        path.write_bytes(np.random.default_rng(0).integers(0, 256, round(8000 * seconds), np.uint8).tobytes())
        return
    rate = 8000
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    if path.suffix == ".gsm":
        soundfile.write(path, tone, rate, format="RAW", subtype="GSM610")
    else:
        soundfile.write(path, tone, rate)


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Files of every pattern."""
    root = tmp_path / "debian"
    for where in prompts._SPEAKERS.values():
        suffix = {"fr": "gsm", "es": "gsm", "it_IT_f_Menardi": "wav"}.get(Path(where).name, "g722")
        for intent in INTENTS:
            for number in range(2):
                write(root / where / f"{intent}-{number}.{suffix}")
    for intent in INTENTS:
        write(root / prompts._ASTERISK / "es_MX_f_Allison" / f"{intent}-0.g722")
    for language in ("ru", "es", "fr"):
        write(root / prompts._STAMPS / "animals" / f"cat_desc_{language}.ogg")
    for language in ("it", "ru"):
        write(root / prompts._LETTERS / language / "alpha" / "a.ogg")
        write(root / prompts._LETTERS / language / "alpha" / "short.ogg", 0.2)
    return root


def test_three_tasks(debian: Path, tmp_path: Path) -> None:
    pytest.importorskip("G722")
    folder = tmp_path / "made"
    counts = prompts.prepare_prompts(debian, folder)
    assert set(counts) == {"mini_languages", "mini_speakers", "mini_intents"}
    for name, classes in (("mini_languages", 4), ("mini_speakers", 7), ("mini_intents", 3)):
        clips = mini_task(name, folder).clips()
        assert len(clips) == counts[name]
        assert len({clip.label for clip in clips}) == classes
        groups = {clip.group for clip in clips}
        assert len({(clip.group, clip.fold) for clip in clips}) == len(groups)
        for clip in clips:
            assert np.abs(clip.samples).max() == pytest.approx(0.5, abs=1e-3)
            assert 0.4 <= len(clip.samples) / 16_000 <= 3.0
    # A clip that is too short is left out, and one voice speaks in one fold only.
    rows = list(csv.DictReader((folder / "mini_languages.csv").open(encoding="utf-8")))
    assert not any(row["name"] == "short" for row in rows)
    assert {row["fold"] for row in rows} == {"0", "1", "2"}


def test_gsm_has_its_pitch(tmp_path: Path) -> None:
    path = tmp_path / "a.gsm"
    write(path, 1.0, 700.0)
    samples = prompts._read(path)
    assert abs(len(samples) - 16_000) <= 320  # whole frames of the codec
    assert abs(int(np.abs(np.fft.rfft(samples)).argmax()) * 16_000 / len(samples) - 700.0) < 5


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="asterisk-core-sounds-es-g722"):
        prompts.prepare_prompts(tmp_path, tmp_path / "made")
    assert not (tmp_path / "made").exists()
