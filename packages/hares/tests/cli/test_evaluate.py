"""The verb `evaluate` prints a table by domain."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onepaper.testing import check_one_line_error, run_verb

from hares.cli.options import EvaluateOptions
from hares.data.mini import MiniTask
from hares.data.tasks import EMBEDDED_NAMES, MINI_NAMES
from hares.evaluation import TaskResult


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--embeddings", "statistics", "--tasks", "mini_sounds", "mini_vowels")
    features = tmp_path / "features"
    assert run_verb("hares", "evaluate", *words, "--output", str(tmp_path), "--features", str(features)) == 0
    assert len([path for path in features.iterdir() if path.is_dir()]) == 2
    assert set(json.loads((tmp_path / "evaluation.json").read_text())["statistics"]) == {"mini_sounds", "mini_vowels"}
    assert not (tmp_path / "radar.png").exists()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [
        "statistics:",
        "environment",
        "mini_sounds",
        "speech",
        "mini_vowels",
    ]
    assert "no HARES score" in lines[-1]


def test_a_peer_that_is_not_installed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    words = ("evaluate", "--output", str(tmp_path), "--tasks", "mini_sounds", "--embeddings")
    assert run_verb("hares", *words, "statistics", "silero-vad") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("left out: silero-vad is not installed")
    assert lines[1] == "statistics:"
    assert run_verb("hares", *words, "silero-vad") == 2
    check_one_line_error(capsys.readouterr().err, "pip install")


def test_gaps_and_radar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fake(embedding: Any, task: MiniTask, store: Any) -> TaskResult:
        correct = np.ones(4) * (embedding.embed_dim > 200)
        return TaskResult(task.name, task.domain, correct, ("a", "a", "b", "b"), 0.5)

    monkeypatch.setattr("hares.cli.evaluate.evaluate_task", fake)
    words = ("evaluate", "--output", str(tmp_path), "--embeddings", "simclr", "statistics")
    assert run_verb("hares", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line.split() for line in lines if "from " in line and "clip" not in line) == [
        *("simclr", "environment", "+100.0%", "[+100.0%,", "+100.0%]", "from", "statistics")
    ]
    for name in ("radar.png", "gaps.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    assert not (tmp_path / "ranks.png").exists()
    words = ("evaluate", "--output", str(tmp_path / "three"), *words[3:], "random")
    assert run_verb("hares", *words) == 0
    assert (tmp_path / "three" / "ranks.png").read_bytes()[:4] == b"\x89PNG"
    assert any(line.startswith("mean ranks: simclr ") for line in capsys.readouterr().out.splitlines())


def test_tasks_are_those_that_are_at_hand() -> None:
    assert EvaluateOptions().chosen_tasks() == EMBEDDED_NAMES
    assert EvaluateOptions(prepared=Path("x")).chosen_tasks() == MINI_NAMES
    assert EvaluateOptions(prepared=Path("x"), tasks=("mini_tags",)).chosen_tasks() == ("mini_tags",)


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("hares", "evaluate", "--embeddings", "nowhere") == 2
    check_one_line_error(capsys.readouterr().err, "unknown weights 'nowhere'")
