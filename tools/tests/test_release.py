"""The checks of a release find what differs and what is missing."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from release import archive_problems, version_problems

ROOT = Path(__file__).parents[2]


def test_versions_of_the_repository_agree() -> None:
    assert list(version_problems(ROOT)) == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, version in (("shared", "0.2.0"), ("packages/a-paper", "0.3.1")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (tmp_path / "packages/a-paper/CHANGELOG.md").write_text("# Changes\n\n## 0.3.0\n\n## 0.3.1\n")
    (tmp_path / "packages/a-paper/CITATION.cff").write_text("cff-version: 1.2.0\nversion: 0.3.1\n")
    data = tmp_path / "packages/a-paper/src/a_paper/assets/data"
    data.mkdir(parents=True)
    (data / "words-licence.txt").write_text("free")
    return tmp_path


def test_versions_that_differ(root: Path) -> None:
    assert list(version_problems(root)) == ["packages/a-paper: CHANGELOG.md has 0.3.0, pyproject.toml 0.3.1"]
    (root / "packages/a-paper/CITATION.cff").unlink()
    assert "packages/a-paper: CITATION.cff is missing" in list(version_problems(root))


def test_archives_without_licences(root: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    for name, held in (("onepaper-0.2.0", ["LICENSE"]), ("onepaper_a_paper-0.3.1", ["words-licence.txt"])):
        with zipfile.ZipFile(dist / f"{name}-py3-none-any.whl", "w") as wheel:
            for member in held:
                wheel.writestr(f"folder/{member}", "")
    with tarfile.open(dist / "onepaper-0.2.0.tar.gz", "w:gz") as source:
        source.addfile(tarfile.TarInfo("onepaper-0.2.0/LICENSE"), io.BytesIO())
    assert list(archive_problems(root, dist)) == [
        "onepaper_a_paper-0.3.1-py3-none-any.whl lacks LICENSE",
        f"onepaper_a_paper-0.3.1.tar.gz is missing from {dist}",
    ]
    assert list(archive_problems(root, dist, ["another-paper"])) == []
