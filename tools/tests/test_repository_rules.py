"""The checker finds what was planted, and finds nothing in this repository."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "repository_rules.py", "--root", root],
        capture_output=True,
        text=True,
        check=False,
    )


def test_this_repository_keeps_the_rules() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stdout


COMPOSE, PERCEIVER, SIMPLEX = (f"packages/{name}" for name in ("compose-diffusion", "perceiver-ar", "simplex-cir"))
# A file, what is changed in it (None: the file is removed; no old text: it is appended), and what the checker says.
PLANTED = [
    (f"{COMPOSE}/DATA.md", None, "DATA.md: missing"),
    (f"{COMPOSE}/README.md", ("```bibtex", "```text"), "lacks ````bibtex`"),
    (f"{COMPOSE}/pyproject.toml", ('"torch>=2.6"', '"torch==2.6"'), "pins torch==2.6"),
    (f"{COMPOSE}/pyproject.toml", ('name = "onepaper-compose-diffusion"', 'name = "compose"'), "expected 'onepaper-"),
    (f"{COMPOSE}/src/compose_diffusion/config/toy.py", ("from onepaper", "import torch\nfrom onepaper"), "stay light"),
    (f"{COMPOSE}/tests/mcmc/test_kernels.py", None, "test_kernels.py: missing"),
    ("docs/papers/compose-diffusion.md", None, "every paper has a page"),
    (f"{PERCEIVER}/src/perceiver_ar/presets.py", None, "presets.py: missing"),
    (f"{PERCEIVER}/src/perceiver_ar/training.py", ("", "print(1)\n"), "prints; only `cli/` prints"),
    (f"{PERCEIVER}/src/perceiver_ar/models.py", ("", ""), "models.py: has the name of a folder beside it"),
    ("docs/papers/perceiver-ar.md", ("| `perceiver_ar.", "| `perceiver_ar.no_such."), "` is not defined"),
    (f"{SIMPLEX}/src/simplex_cir/paper.py", ("simplex_cir.cli.train:", "simplex_cir.training:"), "verb train runs"),
    *((f"{SIMPLEX}/src/simplex_cir/process/extra{n}.py", ("", ""), "expected at most 12") for n in range(12)),
    ("tools/utils.py", ("", "X = 1\n"), "tools/utils.py: a name that says nothing"),
    ("tools/fine_name.py", ("", "# TO" + "DO: all of it\n"), "tools/fine_name.py:1: unfinished"),
    ("docs/banned.md", ("", "The house is told.\n"), "docs/banned.md:1: 'told'"),
    ("docs/private.md", ("", "As in section 10, item 3.\n"), "docs/private.md:1: a reference without its source"),
]
KEPT = [
    (
        "docs/fine.md",
        "As in section 10 of the paper.\n\n\nSee (Du et al., 2023, section 3).\n\nA farmhouse; file.tell().\n",
    ),
    ("docs/fine_table.md", "| paper | function |\n|---|---|\n| section 3 | f |\n"),
]


def test_planted_breaches_are_found_and_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    for file, change, _ in PLANTED:
        path = copy / file
        if change is None:
            path.unlink()
        elif not change[0]:
            path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + change[1], encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
            assert change[0] in text, (file, change)
            path.write_text(text.replace(*change, 1), encoding="utf-8")
    for file, text in KEPT:
        (copy / file).write_text(text)
    subprocess.run(["git", "-C", copy, "add", "-A"], check=True)
    done = check(copy)
    assert done.returncode == 1
    for file, _, message in PLANTED:
        assert message in done.stdout, (file, done.stdout)
    for file, _ in KEPT:
        assert file not in done.stdout
