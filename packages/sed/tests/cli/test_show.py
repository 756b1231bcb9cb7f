"""The verb `show`: frames of both processes, and the page."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from sed.cli.show import Frames, page


def frames_of(path: Path) -> list[dict[str, object]]:
    text = (path / "index.html").read_text().split("const frames = ")[1].split(", given = ")[0]
    return json.loads(text)


def test_processes(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--weights", str(weights / "kjv"), "--sampling.steps", "4", "--output")
    assert run_verb("sed", "show", *common, str(tmp_path / "r"), "And [[3]] the king") == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out[:4]] == ["100", "75", "50", "25"]
    assert all(" And" in line and line.endswith(" the king") for line in out[:4])
    assert len(frames_of(tmp_path / "r")) == 4
    assert run_verb("sed", "show", "--process", "forward", *common, str(tmp_path / "f"), "--text", "the king") == 0
    frames = frames_of(tmp_path / "f")
    assert frames[0] == {"t": 0, "tokens": [" the", " king"]}
    assert len(frames) == 5


def test_page_is_safe() -> None:
    found = page(Frames([1], [["</script><b>"]], [False]), "<i>")
    assert found.count("</script>") == 1
    assert "<i>" not in found


def test_wrong_template(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--weights", str(weights / "kjv"), "--output", str(tmp_path / "run"))
    assert run_verb("sed", "show", *where, "no blank") == 2
    check_one_line_error(capsys.readouterr().err, "template has no blank")
    assert not (tmp_path / "run").exists()
