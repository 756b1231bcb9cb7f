"""Help texts show the papers, verbs, presets and defaults."""

import pytest

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
        (("fake-paper", "presets", "laptop"), "--optimizer.lr 0.001"),
        (("fake-paper", "presets", "paper-wide"), "not published, our choice: width, depth"),
        (("fake-paper", "presets", "smoke", "--cost"), "cost of smoke: parameters 12"),
    ],
)
def test_help_that_teaches(command: Command, words: tuple[str, ...], expected: str) -> None:
    status, out, err = command(*words)
    assert (status, err) == (0, "")
    assert expected in out
