"""The shared checks pass where they should and fail where they should."""

import os
import types
from dataclasses import replace
from pathlib import Path

import pytest

from onepaper.paper import load_paper
from onepaper.testing import (
    check_commands,
    check_light_start,
    check_one_line_error,
    check_presets,
    check_public_names,
    documentation_pages,
    free_port,
    run_processes,
    run_verb,
)

WORKER = """
import os, sys
print(os.environ.get("JAX_NUM_PROCESSES"), os.environ["JAX_PROCESS_ID"], os.environ["XLA_FLAGS"], *sys.argv[1:],
      file=open(sys.argv[1] + os.environ["JAX_PROCESS_ID"], "w"))
sys.exit(int(os.environ["JAX_PROCESS_ID"]))
"""


@pytest.mark.usefixtures("paper")
def test_verbs_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("fake-paper", "sample", "--count", "2") == 0
    capsys.readouterr()
    assert run_verb("fake-paper", "train", "--steps", "0") == 2
    check_one_line_error(capsys.readouterr().err, "steps is 0")
    for wrong in ("onepaper: one\ntwo\n", "Traceback\n", "onepaper: another\n"):
        with pytest.raises(AssertionError):
            check_one_line_error(wrong, "steps is 0")


def test_commands_of_a_page(paper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = paper / "page.md"
    page.write_text("```bash\nonepaper fake-paper presets\nonepaper fake-paper train --preset smoke\n```\n")
    check_commands(page, "fake-paper")
    assert (paper / "runs").is_dir(), "this paper's train ignores --dry-run"
    assert "minutes" in capsys.readouterr().out
    page.write_text("```bash\nonepaper fake-paper presets nonsense\n```\n")
    with pytest.raises(AssertionError, match="`onepaper fake-paper presets nonsense` exits 2"):
        check_commands(page, "fake-paper")
    assert documentation_pages("fake-paper") == []


@pytest.mark.usefixtures("paper")
def test_presets() -> None:
    paper = load_paper("fake-paper")
    preset = replace(paper.presets["smoke"], unsure=())
    check_presets(replace(paper, presets={"smoke": preset}, aliases={"laptop": "smoke"}))
    for presets, aliases in (
        ({"smoke": preset}, {"laptop": "no"}),
        ({"smoke": replace(preset, config={1: 2})}, {}),
        ({"smoke": replace(preset, unsure=("no.field",))}, {}),
    ):
        with pytest.raises((AssertionError, AttributeError, TypeError)):
            check_presets(replace(paper, presets=presets, aliases=aliases))


def test_light_start(paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(paper / "site"), prepend=":")
    check_light_start("fake-paper", "presets")
    (paper / "site" / "fake_paper_package" / "__init__.py").write_text("import scipy")
    with pytest.raises(AssertionError, match=r"imports \['scipy'\]"):
        check_light_start("fake-paper", "presets")


def test_public_names() -> None:
    module = types.ModuleType("module")
    module.__all__ = ["present"]
    with pytest.raises(AssertionError, match="does not export present"):
        check_public_names(module)
    module.present = 1
    check_public_names(module)


def test_processes_of_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    assert run_processes(tmp_path / "worker.py", [f"{tmp_path}/out"], 2, devices=3) == [0, 1]
    for rank in "01":
        words = (tmp_path / f"out{rank}").read_text().split()
        assert words[:2] == ["2", rank]
        assert "--xla_force_host_platform_device_count=3" in words
    assert 0 < free_port() < 2**16


def test_flags_of_xla_are_added_once_and_only_where_they_are_known(monkeypatch):
    from onepaper import testing

    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    for version, expected in (("0.10.2", 3), ("0.11.0", 2)):
        monkeypatch.setattr(testing.importlib.metadata, "version", lambda name, version=version: version)
        monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
        testing.compile_quickly()
        testing.compile_quickly()
        flags = os.environ["XLA_FLAGS"].split()
        assert len(flags) == len(set(flags)) == expected
