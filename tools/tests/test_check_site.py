"""Each fault of a page is found in a browser, and a good page has none."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "check_site.py"
pytest.importorskip("playwright")
if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))):
    pytest.skip("no browser is installed", allow_module_level=True)

PAGE = '<!doctype html><link rel="icon" href="data:,"><body style="margin: 0"><article>{}</article>'
PAGES = {
    "good": "<p>Words.</p><pre>a\\b</pre><details><code>\\n</code></details>",
    "wide": '<div style="width: 500px">Wide.</div>',
    "missing": '<img src="no.png">',
    "silent": '<audio src="no.wav"></audio>',
    "slash": "<p>A formula \\hat x.</p>",
    "error": "<script>throw new Error('broken')</script>",
}


def test_faults_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(PAGE.format("Start."))
    for name, content in PAGES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(PAGE.format(content))
    done = subprocess.run([sys.executable, PROGRAM, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    for name, fault, times in (
        ("wide", "is 500 px wide in a window of 390", 2),  # as wide as a phone, light and dark
        ("missing", "picture ", 2),
        ("silent", "sound ", 2),
        ("slash", "backslash in 'A formula \\hat x.'", 2),
        ("error", "script: broken", 2),
    ):
        assert sum(line.startswith(f"{name}/") and fault in line for line in lines) == times, (name, lines)
    assert not [line for line in lines if line.startswith(("good/", "index"))]


def test_a_page_that_never_ends_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").write_text(PAGE.format("<script>for (;;);</script>"))
    specification = importlib.util.spec_from_file_location("check_site", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "PATIENCE", 3)
    monkeypatch.setattr(sys, "argv", ["check_site.py", str(tmp_path)])
    assert module.main() == 1
    assert "index.html, light: loading: not done after 3 s" in capsys.readouterr().out
