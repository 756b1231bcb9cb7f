"""Run folders: one owner, a true record, whole files."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from onepaper import runs
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run, git_commit, write_atomic


@dataclass(frozen=True)
class Config:
    steps: int = 3


def open_run(folder: Path, config: Config | None = None, **extra: object) -> Run:
    return Run.open(folder, paper="p", verb="train", config=config or Config(), **extra)  # type: ignore[arg-type]


def test_record_says_what_ran(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", preset="smoke", seed=3) as run:
        record = json.loads((run.folder / "run.json").read_text())
    assert record["config"] == {"steps": 3}
    assert (record["paper"], record["verb"], record["preset"], record["seed"]) == ("p", "train", "smoke", 3)
    assert record["hardware"]["cores"] == os.cpu_count()
    assert record["environment"]["python"].startswith("3.")


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with open_run(tmp_path):
        code = (
            "from pathlib import Path; from onepaper.runs import Run; "
            f"Run.open(Path({str(tmp_path)!r}), paper='p', verb='v', config=None)"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another process is running in" in other.stderr.splitlines()[-1]
    with open_run(tmp_path) as again:
        assert "resumed_from" in again.record


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    with open_run(tmp_path):
        pass
    before = (tmp_path / "run.json").read_text()
    with pytest.raises(UsageError, match=r"steps: 4 here, 3 there"):
        open_run(tmp_path, Config(steps=4))
    assert (tmp_path / "run.json").read_text() == before
    with open_run(tmp_path):
        pass  # the refusal released the lock


def test_read_only_place_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OnePaperError, match=r"cannot write to the output folder .*choose another --output"):
        open_run(tmp_path / "file" / "run")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    write_atomic(target, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.os, "fsync", full)
    with pytest.raises(OnePaperError, match="No space left on device"):
        write_atomic(target, "new" * 1000)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_commit_marks_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The temporary folder may stand inside a checkout.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None

    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    commit = git_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == f"{commit}+changes"
