"""`data check`: the lines and the exit code."""

import pytest

from onepaper.cli.common_verbs import verbs_of
from onepaper.cli.data_check import DATA_VERB, DataOptions, run_data
from onepaper.errors import UsageError
from onepaper.foreign.layouts import Layout, Part
from onepaper.paper import Invocation, Paper, Preset


def layouts(config):
    books = Layout("books", "Books (Author, 2000)", (Part("train", "*.txt", 2), Part("test", "test/*.txt")))
    return [books] if config in (None, "reads books") else []


def made(layouts_in="layouts"):
    presets = {"paper-books": Preset("", "reads books"), "smoke": Preset("", "reads nothing")}
    return Paper("fake", "fake", "", "", "", 2000, "", "torch", presets, (), "", layouts_in=layouts_in)


def call(monkeypatch, **options):
    monkeypatch.setattr("onepaper.cli.data_check.resolve", lambda name: layouts)
    return run_data(Invocation(made(), DATA_VERB, None, DataOptions(**options)))


def test_lines_and_exit_codes(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "test").mkdir()
    assert call(monkeypatch, path=tmp_path) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}: Books (Author, 2000)",
        "  differs  train: 1 file *.txt, published are 2",
        "  missing  test: no file test/*.txt, expected at least one",
        "it cannot be trained on",
    ]
    for name in ("b.txt", "test/c.txt"):
        (tmp_path / name).write_text("text")
    assert call(monkeypatch, path=tmp_path, preset="paper-books") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  ok       train: 2 files *.txt", "  ok       test: 1 file test/*.txt", "it can be trained on",
    ]  # fmt: skip


def test_what_it_needs(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="data check needs a folder: onepaper fake data check PATH"):
        call(monkeypatch)
    with pytest.raises(UsageError, match="preset 'smoke' reads no public data set"):
        call(monkeypatch, path=tmp_path, preset="smoke")
    assert "data" in verbs_of(made())
    assert "data" not in verbs_of(made(None))
