"""Claim X2 with few pictures, keys and attacks, and networks that have learned nothing."""

from pathlib import Path

import pytest
import torch
from onepaper.claims import ClaimContext

from imagen3.experiments import learned_watermark, watermark
from imagen3.pretrained.systems import System
from imagen3.responsibility import learned_mark
from imagen3.responsibility.attacks import ATTACKS


def test_claim(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    untrained = learned_mark.LearnedMark().eval()
    for module in (learned_mark, learned_watermark):
        monkeypatch.setattr(module, "shipped_mark", lambda: untrained)
    for name, value in (("PICTURES", 2), ("SCALE", 8), ("open_system", lambda: system)):
        monkeypatch.setattr(watermark, name, value)
    monkeypatch.setattr(watermark, "ATTACKS", {name: ATTACKS[name] for name in ("none", "JPEG 70")})
    monkeypatch.setattr(learned_watermark, "UNMARKED", 20)
    watermark.attacks.cache_clear()
    learned_watermark.unmarked_signs.cache_clear()
    found = learned_watermark.learned_watermark(ClaimContext(folder=tmp_path, seeds=(0,)))
    watermark.attacks.cache_clear()
    learned_watermark.unmarked_signs.cache_clear()
    assert 40 <= found.measurement("peak ratio").mean < 41
    # 45 of 64 signs are needed, which happens by chance in 0.08% of all keys.
    assert 0.0002 < found.measurement("false positives at 1e-3").mean < 0.002
    assert found.measurement("found at 1e-3 through the autoencoder").mean <= 1
