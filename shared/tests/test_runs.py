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
from onepaper.config import outside_identity
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run, check_writable, git_commit, new_folder, read_record, write_atomic


@dataclass(frozen=True)
class Config:
    steps: int = 3


@dataclass(frozen=True)
class Options:
    prompt: str = "a"
    threads: int = 0


outside_identity(Options, "threads")


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


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"options": Options("b")}, "prompt: 'b' here, 'a' there"),
        ({"seed": 2}, "seed: 2 here, 1 there"),
        ({"verb": "sample"}, "verb: 'sample' here, 'train' there"),
        ({"paper": "q"}, "paper: 'q' here, 'p' there"),
    ],
)
def test_a_folder_belongs_to_one_command(tmp_path: Path, other: dict[str, object], named: str) -> None:
    command = {"paper": "p", "verb": "train", "config": Config(), "options": Options(), "seed": 1}
    with Run.open(tmp_path, **command):
        pass
    with Run.open(tmp_path, **command | {"options": Options(threads=4)}) as again:
        assert again.before is not None
    with pytest.raises(UsageError, match=named):
        Run.open(tmp_path, **command | other)


def test_wrong_input_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    folder = tmp_path / "above" / "made" / "run"
    with pytest.raises(UsageError), open_run(folder):
        (folder / "checkpoints").mkdir()
        raise UsageError("wrong")
    assert list(tmp_path.rglob("*")) == [tmp_path / "above"]
    with pytest.raises(UsageError), open_run(folder):
        (folder / "samples.json").write_text("{}")
        raise UsageError("wrong, but there is something")
    assert (folder / "run.json").exists()
    with pytest.raises(UsageError), open_run(folder):
        raise UsageError("wrong in a run that exists")
    assert (folder / "run.json").exists()


def test_an_altered_record_is_refused(tmp_path: Path) -> None:
    with open_run(tmp_path, seed=1):
        pass
    path = tmp_path / "run.json"
    content = path.read_bytes()
    assert read_record(path)["seed"] == 1
    accepted = []
    for byte in range(0, len(content), 3):
        path.write_bytes(content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1 :])
        try:
            read_record(path)
        except OnePaperError:
            pass
        else:
            accepted.append(content[max(0, byte - 5) : byte + 5])
    # White space between values may change.
    assert all(b"\n" in part for part in accepted), accepted
    with pytest.raises(OnePaperError, match="altered"):
        path.write_bytes(content.replace(b'"seed": 1', b'"seed": 2'))
        open_run(tmp_path, seed=2)


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        written = run.write_json("result.json", {"value": [float("nan"), (float("inf"), 1.5)]})
    assert json.loads(written.read_text()) == {"value": [None, [None, 1.5]]}


def test_what_cannot_be_written_is_noticed_before(tmp_path: Path) -> None:
    check_writable(tmp_path / "not" / "there", "--export")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OnePaperError, match="choose another --export"):
        check_writable(tmp_path / "file" / "folder", "--export")


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
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


def test_a_new_folder_is_complete_or_not_there(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as content:
        (content / "file").touch()
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").is_file()
    with pytest.raises(OnePaperError, match="exists already"), new_folder(tmp_path / "a"):
        pass
    with pytest.raises(ValueError, match="broken"), new_folder(tmp_path / "c"):
        raise ValueError("broken")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
