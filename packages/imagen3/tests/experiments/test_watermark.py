"""Claim C17 with few pictures and keys."""

from pathlib import Path

import pytest
from onepaper.claims import ClaimContext

from imagen3.data.emoji import emoji_pictures
from imagen3.experiments import watermark
from imagen3.pretrained.systems import System
from imagen3.responsibility.attacks import ATTACKS


def test_claim(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watermark.attacks.cache_clear()
    monkeypatch.setattr(watermark, "open_system", lambda: system)
    monkeypatch.setattr(watermark, "PICTURES", 2)
    monkeypatch.setattr(watermark, "SCALE", 8)
    monkeypatch.setattr(watermark, "KEYS", 3)
    monkeypatch.setattr(watermark, "emoji_pictures", lambda: emoji_pictures()[::100])
    monkeypatch.setattr(watermark, "ATTACKS", {name: ATTACKS[name] for name in ("none", "JPEG 70", "mirrored")})
    watermark.unmarked_signs.cache_clear()
    found = watermark.watermark(ClaimContext(folder=tmp_path, seeds=(0, 1)))
    watermark.attacks.cache_clear()
    watermark.unmarked_signs.cache_clear()
    assert found.measurement("found at 1e-6, mean over attacks").mean == 1
    assert found.measurement("peak ratio").mean >= 40
    assert found.measurement("false positives at 1e-3").mean < 0.05
