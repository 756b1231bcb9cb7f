"""Words become an invocation; errors of tyro become one line."""

import contextlib
import io
import json

import pytest
import tyro

from onepaper.cli.parsing import error_in_box, take_option
from onepaper.errors import UsageError

from .conftest import Command


@pytest.mark.usefixtures("paper")
def test_positional_words_and_other_configurations(command: Command) -> None:
    _, out, _ = command("fake-paper", "sample", "a & b", "c", "--count", "2", "--preset", "paper-wide")
    said = json.loads(out)
    assert (said["options"]["prompts"], said["options"]["count"]) == (["a & b", "c"], 2)
    assert (said["config"], said["preset"]) == ({"width": 1}, "paper-wide")


UNICODE_BOX = """\
╭─ Unrecognized options ──────────────────────────╮
│ Unrecognized options: --lrr 3                   │
│ ─────────────────────────────────────────────── │
│ Perhaps you meant:                              │
│     --lr FLOAT                                  │
│         peak learning rate (default: 0.1)       │
│ ─────────────────────────────────────────────── │
│ For full helptext, run train --help             │
╰─────────────────────────────────────────────────╯
"""
ASCII_BOX = """\
+- Parsing error ---------------------------------+
| Error parsing --steps: invalid literal for      |
| int() with base 10: 'many'                      |
| ----------------------------------------------- |
| For full helptext, run train --help             |
+-------------------------------------------------+
"""


def test_boxes_of_tyro_become_one_line() -> None:
    assert error_in_box(UNICODE_BOX) == "Unrecognized options: --lrr 3: did you mean '--lr'?"
    assert error_in_box(ASCII_BOX) == "Error parsing --steps: invalid literal for int() with base 10: 'many'"
    assert error_in_box("no box at all") == "no box at all"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--stepz", "3"], "Unrecognized options: --stepz, 3: did you mean '--steps'?"),
        (["--steps", "many"], "Error parsing --steps: invalid literal for int() with base 10: 'many'"),
    ],
)
def test_the_layout_of_the_installed_tyro(words: list[str], expected: str) -> None:
    def options(steps: int = 1) -> None:
        pass

    for shown in (io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        box = io.StringIO()
        with contextlib.redirect_stderr(box), contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
            tyro.cli(options, args=words)
        assert error_in_box(box.getvalue()) == expected


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--stepz", "3"), "Unrecognized options: --stepz, 3: did you mean '--steps'?"),
        (("--optimizer.lr", "much"), "Error parsing --optimizer.lr: could not convert string to float: 'much'"),
    ],
)
def test_wrong_words_are_one_line(command: Command, words: tuple[str, ...], expected: str) -> None:
    status, out, err = command("fake-paper", "train", *words)
    assert (status, out) == (2, "")
    assert err == f"onepaper: {expected} (`onepaper fake-paper train --help`)\n"


def test_an_option_is_taken_off_the_line() -> None:
    words = ["a", "--preset", "x", "--preset=y", "b", "--", "--preset", "z"]
    assert take_option(words, "--preset") == ("y", ["a", "b", "--", "--preset", "z"])
    assert take_option(["a"], "--preset") == (None, ["a"])
    with pytest.raises(UsageError, match="--preset needs a value"):
        take_option(["--preset"], "--preset")
