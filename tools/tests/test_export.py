"""Weights that ship with a package, as a folder for a model hub: complete, described, and as they were."""

from pathlib import Path

import pytest

from onepaper.cli.dispatch import main
from onepaper.data import file_sha256, read_sums
from onepaper.paper import load_paper, paper_names
from onepaper.weights import find_weights, shipped_weights

SHIPPED = [(paper, name) for paper in paper_names() for name in shipped_weights(load_paper(paper).module)]


@pytest.mark.parametrize(("paper", "name"), SHIPPED)
def test_shipped_weights(paper: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / name
    with pytest.raises(SystemExit) as stopped:
        main([paper, "export", name, str(folder)])
    assert stopped.value.code == 0
    module = load_paper(paper).module
    assert find_weights(folder, module) == folder
    source = shipped_weights(module)[name]
    for path in source.rglob("*.safetensors"):
        assert file_sha256(path) == file_sha256(folder / path.relative_to(source))
    listed = read_sums(folder)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        *listed,
        "SHA256SUMS",
    }
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"---\nlicense: apache-2.0\nlibrary_name: onepaper-{paper}\n")
    for part in card.split("](")[1:]:
        target = part.split(")")[0]
        assert target.startswith("https://") or (folder / target).is_file(), target
