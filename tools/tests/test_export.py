"""Weights that ship with a package, as a folder for a model hub: complete, described, and as they were."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from render_results import papers

from onepaper.cli.export import EXPORT_VERB, ExportOptions, run_export
from onepaper.data import file_sha256, read_sums
from onepaper.paper import Invocation, Paper
from onepaper.weights import find_weights, shipped_weights

ROOT = Path(__file__).parents[2]
SHIPPED = [(paper, name) for paper in papers(ROOT) for name in shipped_weights(paper.module)]


@pytest.mark.parametrize(("paper", "name"), SHIPPED, ids=[f"{paper.name}-{name}" for paper, name in SHIPPED])
def test_shipped_weights(paper: Paper, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / name
    assert run_export(Invocation(paper, EXPORT_VERB, None, ExportOptions(name, folder))) == 0
    assert find_weights(folder, paper.module) == folder
    source = shipped_weights(paper.module)[name]
    for path in source.rglob("*.safetensors"):
        assert file_sha256(path) == file_sha256(folder / path.relative_to(source))
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == {*read_sums(folder), "SHA256SUMS"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"---\nlicense: apache-2.0\nlibrary_name: onepaper-{paper.name}\n")
    assert "licences/LICENSE" in card
    rows = {line.split(" | ")[0].removeprefix("| ") for line in card.splitlines() if " | " in line}
    results = paper.results_folder()
    assert results is not None
    for claim in paper.claims():
        rests = any(asset.startswith(f"assets/weights/{name}/") for asset in claim.assets)
        assert (claim.id in rows) == (rests and (results / f"{claim.id}.json").is_file()), claim.id
    for part in card.split("](")[1:]:
        target = part.split(")")[0]
        assert target.startswith("https://") or (folder / target).is_file(), target
