"""Every paper installs the ways its users would install it, and brings the shared package of the same checkout along.

One plain venv with plain pip a paper; the three forms reuse it, so that dependencies are fetched once.
"""

import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = sorted(file.parent.name for file in ROOT.glob("packages/*/pyproject.toml"))
RELEASE_RANGE = ">=0.1,<0.2"


def call(*words: str | Path, cwd: Path | None = None, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "VIRTUAL"))}
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, env=environment | variables, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module", params=PAPERS)
def paper(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plain_python(paper: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"venv-{paper}")
    venv.create(folder, with_pip=True, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone") / "repository"
    call("git", "clone", "-q", ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def wheels(paper: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"dist-{paper}")
    for source in (ROOT / "shared", ROOT / "packages" / paper):
        call("uv", "build", "-q", "--wheel", "--out-dir", folder, source, ONEPAPER_RELEASE=RELEASE_RANGE)
    return folder


def origin(python: Path, distribution: str) -> str:
    """The address a distribution was installed from, as pip recorded it; empty for a wheel found by name."""
    code = (
        "import importlib.metadata, json, sys\n"
        "text = importlib.metadata.distribution(sys.argv[1]).read_text('direct_url.json')\n"
        "print(json.loads(text)['url'] if text else '')"
    )
    return call(python, "-c", code, distribution).strip()


def works(python: Path, paper: str, cwd: Path) -> None:
    """The command line lists the paper and shows its presets from where no checkout is."""
    assert paper in call(python, "-m", "onepaper", "list", cwd=cwd)
    assert "smoke" in call(python, "-m", "onepaper", paper, "presets", cwd=cwd)
    call(python, "-m", "onepaper", paper, "claims", cwd=cwd)


def test_folder_then_git_then_release_wheels(
    paper: str, plain_python: Path, clone: Path, wheels: Path, tmp_path: Path
) -> None:
    # Compiling the bytecode of all dependencies would take longer than the rest of this test.
    call(plain_python, "-m", "pip", "install", "-q", "--no-compile", f"./packages/{paper}", cwd=clone)
    assert origin(plain_python, "onepaper") == f"{clone.as_uri()}/shared"
    works(plain_python, paper, tmp_path)

    both = (f"onepaper-{paper}", "onepaper")
    call(plain_python, "-m", "pip", "uninstall", "-q", "-y", *both)
    call(plain_python, "-m", "pip", "install", "-q", f"git+{clone.as_uri()}#subdirectory=packages/{paper}")
    assert origin(plain_python, f"onepaper-{paper}") == clone.as_uri()
    assert origin(plain_python, "onepaper").startswith("file:")
    works(plain_python, paper, tmp_path)

    call(plain_python, "-m", "pip", "uninstall", "-q", "-y", *both)
    call(plain_python, "-m", "pip", "install", "-q", "--find-links", wheels, f"onepaper-{paper}")
    assert origin(plain_python, "onepaper") == ""
    works(plain_python, paper, tmp_path)


def test_release_wheel_is_whole_small_and_portable(paper: str, wheels: Path) -> None:
    module = paper.replace("-", "_")
    (wheel,) = wheels.glob(f"onepaper_{module}-*.whl")
    assert wheel.stat().st_size <= 16_000_000
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert "file:" not in metadata
    assert any(line.startswith("Requires-Dist: onepaper[") and "<0.2" in line for line in metadata.splitlines())
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tracked = call("git", "ls-files", "src", "results", cwd=ROOT / "packages" / paper).split()
    expected = [name.removeprefix("src/") for name in tracked if name.startswith("src/")]
    expected += [f"{module}/{name}" for name in tracked if name.startswith("results/") and name.endswith(".json")]
    assert sorted(set(expected) - set(names)) == []


def test_recorded_results_come_with_the_wheel(paper: str, wheels: Path) -> None:
    module = paper.replace("-", "_")
    (wheel,) = wheels.glob(f"onepaper_{module}-*.whl")
    recorded = {file.name for file in (ROOT / "packages" / paper / "results").glob("*.json")}
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            Path(name).name for name in archive.namelist() if f"{module}/results/" in name and name.endswith(".json")
        }
        assert packed == recorded
        for name in archive.namelist():
            if f"{module}/results/" in name and name.endswith(".json"):
                json.loads(archive.read(name))


def test_shared_wheel_brings_its_schema_and_template(wheels: Path) -> None:
    (wheel,) = wheels.glob("onepaper-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "onepaper/claims/result.schema.json",
        "onepaper/display/templates/report.html.j2",
        "onepaper/py.typed",
    } <= names


def test_versions_agree(paper: str) -> None:
    with (ROOT / "packages" / paper / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    package = ROOT / "packages" / paper / "src" / paper.replace("-", "_") / "__init__.py"
    assert f'__version__ = "{version}"' in package.read_text(encoding="utf-8")
    assert sys.version_info >= (3, 11)
