"""Claims on the shipped clips: leakage, and the comparison of two baselines with a small network."""

from dataclasses import replace

import pytest
from onepaper.claims import ClaimContext, Verdict
from onepaper.training import LoopOptions

from audio_datasets.claims import CLAIMS
from audio_datasets.data.clips import ClipSet
from audio_datasets.experiments import voices

LEDGER = {claim.id: claim for claim in CLAIMS}


def test_no_leakage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LEDGER["C13"].run(ClaimContext())[1].verdict is Verdict.REPRODUCED
    clips = voices.shipped_voices()
    leaking = replace(clips, clips=(*clips.clips, clips.clips[3]._replace(id="leak", split="test")))
    monkeypatch.setattr(voices, "shipped_voices", lambda: leaking)
    assert LEDGER["C13"].run(ClaimContext())[1].verdict is Verdict.NOT_REPRODUCED


def few(clips: ClipSet, per_class: int) -> ClipSet:
    """The first clips of each class and split."""
    seen: dict[tuple[str, str], int] = {}
    kept = []
    for clip in clips:
        key = clip.split, clip.label
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= per_class:
            kept.append(clip)
    return replace(clips, clips=tuple(kept))


def test_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    from audio_datasets import training

    clips = few(voices.shipped_voices(), 2)
    config = voices.PRESETS["laptop-features"].config
    preset = replace(voices.PRESETS["laptop-features"], config=replace(config, loop=LoopOptions(steps=5)))
    monkeypatch.setattr(voices, "shipped_voices", lambda: clips)
    monkeypatch.setattr(training, "load", lambda *_, **__: clips)
    monkeypatch.setattr(voices, "PRESETS", {"laptop-features": preset})
    evidence, decision = LEDGER["C14"].run(ClaimContext(seeds=(0, 1)))
    found = {m.name: m.mean for m in evidence.measured}
    difference = found["UAR, end to end"] - found["UAR, functionals"]
    assert found["UAR, end to end minus functionals"] == pytest.approx(difference)
    assert decision.reason


def test_features(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = few(voices.shipped_voices(), 3)
    monkeypatch.setattr(voices, "shipped_voices", lambda: clips)
    monkeypatch.setattr(voices, "FOLDS", 3)
    evidence, _ = LEDGER["X5"].run(ClaimContext())
    assert evidence.measured[0].kind == "examples"
    assert len(evidence.measured[0].values) == len(clips)
