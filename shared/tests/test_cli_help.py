"""Help texts show the papers, verbs, presets and defaults."""

import shlex
from pathlib import Path

import pytest

from onepaper.cli import dispatch
from onepaper.cli.columns import WIDTH
from onepaper.cli.help import plain_help

from .conftest import Command


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "expected"),
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
        (("fake-paper", "train", "--help"), "usage: onepaper fake-paper train [-h] [--preset NAME | --config FILE]"),
        (("fake-paper", "sample", "--help"), "positional arguments:\n  [PROMPTS"),
        (("fake-paper", "sample", "--help"), "--output PATH"),
        (("fake-paper", "presets", "laptop"), "--optimizer.lr 0.001"),
        (("fake-paper", "presets", "paper-wide"), "not published, our choice: width, depth"),
        (("fake-paper", "presets", "smoke", "--cost"), "cost of smoke: parameters 12"),
    ],
)
def test_help_that_teaches(command: Command, words: tuple[str, ...], expected: str) -> None:
    status, out, err = command(*words)
    assert (status, err) == (0, "")
    assert expected in out


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize("words", [(), ("train",), ("sample",), ("presets",), ("reproduce",)])
def test_help_is_plain_text_of_80_columns(command: Command, words: tuple[str, ...]) -> None:
    _, out, _ = command("fake-paper", *words, "--help")
    assert out.startswith("usage: onepaper fake-paper ")
    assert max(map(len, out.splitlines())) <= WIDTH
    assert not set(out) & set("│╭╰─")
    assert "None" not in out


def test_boxes_and_rules_of_tyro_are_left_out() -> None:
    with_boxes = """\
╭─ options ────────────────────────╮
│ -h, --help          show this    │
│ --output {None}|PATH      folder │
│                     (default:    │
│                     None)        │
╰──────────────────────────────────╯
"""
    with_rules = """\
 options
 ----------------------------------
  -h, --help          show this
  --output {None}|PATH      folder
                      (default:
                      None)

"""
    expected = "options:\n  -h, --help          show this\n  --output PATH             folder\n\n"
    assert plain_help(with_boxes) == plain_help(with_rules) == expected


@pytest.mark.usefixtures("paper")
def test_a_preset_is_shown_as_a_command_to_paste(command: Command) -> None:
    _, out, _ = command("fake-paper", "presets", "laptop-small")
    first, pasted = out.split("\n", maxsplit=1)
    assert first == "laptop-small: minutes"
    words = shlex.split(pasted.replace("\\\n", ""))  # as a shell continues lines
    assert command(*words[1:], "--output", "run")[0] == 0
    assert command("fake-paper", "presets", "paper-wide")[1].splitlines()[1].startswith("onepaper fake-paper sample")


@pytest.mark.usefixtures("paper")
def test_a_paper_of_the_checkout_that_is_not_installed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packages" / "other").mkdir(parents=True)
    (tmp_path / "packages" / "other" / "pyproject.toml").touch()
    monkeypatch.setattr(dispatch, "CHECKOUT", tmp_path)
    status, _, err = command("other", "train")
    assert (status, err) == (2, f"onepaper: other is not installed here; in {tmp_path}: pip install ./packages/other\n")
