"""Commands run, fail in one line with the right exit status, are repeated, and start without a framework."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Command


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("fake-papr", "train"), "unknown paper or command 'fake-papr': did you mean 'fake-paper'?"),
        (("--verbos",), "unknown option '--verbos'"),
        (("fake-paper", "trian"), "did you mean 'train'?"),
        (("fake-paper", "train", "--preset", "smok"), "did you mean 'smoke'?"),
        (("fake-paper", "train", "--preset"), "--preset needs a value"),
        (("fake-paper", "train", "--preset", "paper-wide"), "choose from: laptop-small, smoke"),
        (("fake-paper", "train", "--optimizer.lrr", "3"), "did you mean '--optimizer.lr'?"),
        (("fake-paper", "train", "--steps", "many"), "--steps"),
        (("fake-paper", "train", "--steps", "0"), "steps is 0, expected a number above 0"),
        (("fake-paper", "train", "--steps=-3"), "steps is -3, expected a number above 0"),
        (("fake-paper", "train", "--optimizer.name", "adamm"), "'adam', 'sgd'"),
        (("fake-paper", "train", "--config", "nowhere.json"), "configuration nowhere.json does not exist"),
        (("fake-paper", "train", "--config", "x", "--preset", "smoke"), "choose one"),
        (("fake-paper", "presets", "smok"), "did you mean 'smoke'?"),
        (("repeat", "nowhere"), "nowhere does not exist"),
        (("repeat",), "usage"),
        (("repeat", "a", "b"), "got 2: a b"),
        (("completion", "tcsh"), "one shell of bash, zsh, fish"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(command: Command, words: tuple[str, ...], expected: str) -> None:
    status, out, err = command(*words)
    assert status == 2
    assert expected in (err or out)
    if err:
        assert err.startswith("onepaper: ")
        assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_no_paper_installed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    assert "pip install ./packages/NAME" in command("list")[1]
    assert "pip install ./packages/cdcd" in command("cdcd", "train")[2]


def test_run_is_recorded_and_repeated(command: Command, paper: Path) -> None:
    words = ("--preset", "smoke", "--optimizer.lr", "0.5", "--seed", "7")
    assert command("fake-paper", "train", *words) == (0, "", "")
    folder = paper / "runs/fake-paper/train-smoke-seed7"
    done = json.loads((folder / "done.json").read_text())
    assert done["config"] == {"steps": 2, "optimizer": {"lr": 0.5, "name": "adam"}}
    assert command("repeat", str(folder), "--output", "again")[0] == 0
    again = json.loads((paper / "again/done.json").read_text())
    assert again["config"] == done["config"]
    assert again["options"] == done["options"] | {"output": "again"}
    status, _, err = command("fake-paper", "train", "--config", str(folder), "--output", "third")
    assert (status, err) == (0, "")
    assert json.loads((paper / "third/done.json").read_text())["config"] == done["config"]


def test_failure_is_one_line_and_exit_1(command: Command, paper: Path) -> None:
    status, _, err = command("fake-paper", "train", "--optimizer.lr", "1000")
    assert (status, err) == (1, "onepaper: the loss is nan at step 3\n")
    (paper / "file").write_text("")
    status, _, err = command("fake-paper", "train", "--output", "file/below")
    assert status == 1
    assert "choose another --output" in err


def test_repeat_refuses_what_is_no_record(command: Command, paper: Path) -> None:
    (paper / "x.json").write_text("{}")
    assert "paper, verb, options missing" in command("repeat", "x.json")[2]
    (paper / "y.json").write_text('{"paper": "fake-paper", "verb": "train", "options": {}, "config": {"stps": 1},'
                                  ' "config_type": "Config"}')  # fmt: skip
    assert "did you mean 'steps'?" in command("repeat", "y.json")[2]


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["--help"],
        ["fake-paper", "--help"],
        ["fake-paper", "train", "--help"],
        ["fake-paper", "presets"],
        ["fake-paper", "claims"],
    ],
)
def test_light_start(paper: Path, words: list[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(paper / 'site')!r})\n"
        "from onepaper.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as leaving:\n    assert not leaving.code, leaving.code\n"
        "heavy = {'torch', 'jax', 'flax', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=paper)


def test_package_runs_as_a_module(paper: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fake_paper_package", "sample", "--count", "3"],
        capture_output=True, text=True, check=True, cwd=paper / "site",
    )  # fmt: skip
    assert json.loads(done.stdout)["options"]["count"] == 3


def test_words_that_are_not_utf8_are_one_line(command: Command) -> None:
    status, _, err = command("fake-paper", "sample", "caf\udce9")
    assert status == 2
    assert err == "onepaper: 'caf\\udce9' is not UTF-8 text; type it again, or rename the file\n"
