"""The command line teaches, refuses in one line, records what it runs, and starts without a framework."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from onepaper.cli import main
from onepaper.paper import Invocation, RunOptions, Verb, load_paper

from . import fake_paper


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = fake_paper.make(tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("fake_paper_package")]:
        del sys.modules[name]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "usage: onepaper PAPER VERB"),
        (("--help",), "completion bash|zsh|fish"),
        (("--version",), "onepaper 0."),
        (("list",), "A Fake Paper (2020)"),
        (("fake-paper",), "arXiv:0000.00000"),
        (("fake-paper", "--help"), "laptop                   the same as laptop-small"),
        (("fake-paper", "train", "--help"), "* laptop-small"),
        (("fake-paper", "train", "--help"), "Learning rate. (default: 0.001)"),
        (("fake-paper", "train", "--preset", "smoke", "--help"), "Training steps. (default: 2)"),
        (("fake-paper", "presets"), "another experiment"),
        (("fake-paper", "presets", "laptop"), "--optimizer.lr 0.001"),
        (("fake-paper", "presets", "paper-wide"), "our reading, not published: width, depth"),
        (("fake-paper", "presets", "smoke", "--cost"), "cost of smoke: parameters 12"),
    ],
)
def test_help_that_teaches(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    assert told in out


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "told"),
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
def test_wrong_usage_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    status, out, err = run(capsys, *words)
    assert status == 2
    assert told in (err or out)
    if err:
        assert err.startswith("onepaper: ")
        assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_no_paper_installed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    assert "pip install ./packages/NAME" in run(capsys, "list")[1]
    assert "pip install ./packages/cdcd" in run(capsys, "cdcd", "train")[2]


def test_run_is_recorded_and_repeated(capsys: pytest.CaptureFixture[str], paper: Path) -> None:
    words = ("--preset", "smoke", "--optimizer.lr", "0.5", "--seed", "7")
    assert run(capsys, "fake-paper", "train", *words) == (0, "", "")
    folder = paper / "runs/fake-paper/train-smoke"
    done = json.loads((folder / "done.json").read_text())
    assert done["config"] == {"steps": 2, "optimizer": {"lr": 0.5, "name": "adam"}}
    assert run(capsys, "repeat", str(folder), "--output", "again")[0] == 0
    again = json.loads((paper / "again/done.json").read_text())
    assert again["config"] == done["config"]
    assert again["options"] == done["options"] | {"output": "again"}
    status, _, err = run(capsys, "fake-paper", "train", "--config", str(folder), "--output", "third")
    assert (status, err) == (0, "")
    assert json.loads((paper / "third/done.json").read_text())["config"] == done["config"]


def test_failure_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str], paper: Path) -> None:
    status, _, err = run(capsys, "fake-paper", "train", "--optimizer.lr", "1000")
    assert (status, err) == (1, "onepaper: the loss is nan at step 3\n")
    (paper / "file").write_text("")
    status, _, err = run(capsys, "fake-paper", "train", "--output", "file/below")
    assert status == 1
    assert "choose another --output" in err


def test_repeat_refuses_what_is_no_record(capsys: pytest.CaptureFixture[str], paper: Path) -> None:
    (paper / "x.json").write_text("{}")
    assert "paper, verb, options missing" in run(capsys, "repeat", "x.json")[2]
    (paper / "y.json").write_text('{"paper": "fake-paper", "verb": "train", "options": {}, "config": {"stps": 1},'
                                  ' "config_type": "Config"}')  # fmt: skip
    assert "did you mean 'steps'?" in run(capsys, "repeat", "y.json")[2]


def test_a_folder_for_each_request_without_a_preset(paper: Path) -> None:
    plain = Verb("sample", "", "m:f", RunOptions)
    found = set()
    for seed in (0, 1, 0):
        call = Invocation(load_paper("fake-paper"), plain, None, RunOptions(seed=seed))
        with call.open_run() as run:
            found.add(run.folder)
    assert len(found) == 2


@pytest.mark.usefixtures("paper")
def test_positional_words_and_other_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "fake-paper", "sample", "a & b", "c", "--count", "2", "--preset", "paper-wide")
    said = json.loads(out)
    assert (said["options"]["prompts"], said["options"]["count"]) == (["a & b", "c"], 2)
    assert (said["config"], said["preset"]) == ({"width": 1}, "paper-wide")


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("",), {"fake-paper", "list", "repeat", "completion"}),
        (("fake-paper", "t"), {"train"}),
        (("fake-paper", "train", "--preset", ""), {"laptop", "laptop-small", "smoke"}),
        (("fake-paper", "train", "--opt"), {"--optimizer.lr", "--optimizer.name"}),
        (("fake-paper", "train", "--optimizer.name", ""), {"adam", "sgd"}),
        (("fake-paper", "nonsense", ""), {""}),
        (("completion", "b"), {"bash"}),
    ],
)
def test_completion(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: set[str]) -> None:
    status, out, _ = run(capsys, "__complete", *words)
    assert status == 0
    found = set(out.removesuffix("\n").split("\n"))
    if words == ("",):  # other papers may be installed
        assert found >= expected
    else:
        assert found == expected


def test_bash_completes(paper: Path) -> None:
    script = (
        f'export PYTHONPATH="{paper / "site"}"; onepaper() {{ "{sys.executable}" -m onepaper "$@"; }};'
        'eval "$(onepaper completion bash)"; COMP_WORDS=(onepaper fake-paper tr); COMP_CWORD=2; _onepaper;'
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "train"


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
