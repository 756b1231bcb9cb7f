"""The verb `figures` writes a page."""

from pathlib import Path

from onepaper.testing import run_verb


def test_page(weights: Path, tmp_path: Path) -> None:
    words = ("--weights", str(weights / "speeches"), "--sampling.steps", "2", "--output", str(tmp_path / "run"))
    assert run_verb("cdcd", "figures", *words) == 0
    page = (tmp_path / "run" / "index.html").read_text()
    assert "1-loss-over-noise-level.png" in page
    assert "4-sample-over-steps.txt" in page
