"""The verb `generate` writes events and their sound; what is refused."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from slowae_rlt.events.container import load_events
from slowae_rlt.run_length import ranking


def test_generate(language_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--weights", str(language_weights), "--prompt", "en/agent-loginok", "--seconds", "0.02", "--count", "2")
    assert run_verb("slowae-rlt", "generate", *words, "--output", str(tmp_path / "g")) == 0
    assert capsys.readouterr().out.count("32 events in ") == 2
    assert len(load_events(tmp_path / "g" / "sample-1.sae")) == 32
    assert "sample-0.wav" in (tmp_path / "g" / "index.html").read_text()


def test_the_best_of_several(language_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third of three draws has the lowest entropy."""
    keys = iter([(False, 3.0), (False, 2.0), (False, 1.0)])
    monkeypatch.setattr(ranking, "trained_classifier", lambda: None)
    monkeypatch.setattr(ranking, "rank_key", lambda classifier, sound: next(keys))
    words = ("--weights", str(language_weights), "--output")
    assert run_verb("slowae-rlt", "generate", *words, str(tmp_path / "all"), "--count", "3") == 0
    assert run_verb("slowae-rlt", "generate", *words, str(tmp_path / "best"), "--draws", "3", "--count", "1") == 0
    best = load_events(tmp_path / "best" / "sample-0.sae")
    assert best == load_events(tmp_path / "all" / "sample-2.sae")
    assert not (tmp_path / "best" / "sample-1.sae").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--prompt", "en/agent-loginok", "--audio", "a.wav"), "give --audio FILE or --prompt NAME, or neither"),
        (("--prompt", "en/agent-loginok", "--seconds", "2"), "expected fewer than 32"),
        (("--seconds", "0"), "seconds is 0"),
        (("--count", "0"), "count is 0"),
        (("--draws", "1"), "draws is 1"),
        (("--condition", "it"), "unknown condition 'it'"),
        (("--sampling.nucleus", "0"), "nucleus is 0"),
        (("--weights", "laptop"), "codec.json cannot be read"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...],
    expected: str,
    language_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = () if "--weights" in words else ("--weights", str(language_weights))
    assert run_verb("slowae-rlt", "generate", *weights, *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
