"""Check the rules of the house that no ordinary linter knows; every breach is one line, and any breach exits 1.

Usage: python tools/house_rules.py [--root FOLDER]

What well-kept tools check is left to them: formatting, lint and docstrings to ruff, the order of imports to
import-linter, declared dependencies to deptry. Those run beside this program in `nox -s lint`.
"""

import argparse
import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REQUIRED_FILES = ("README.md", "pyproject.toml", "DATA.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
REQUIRED_MODULES = ("__init__.py", "__main__.py", "config.py", "claims.py", "paper.py", "py.typed")
REQUIRED_README = ("```bibtex", "pip install", "<!-- claims:begin -->", "<!-- claims:end -->")
WITHOUT_OWN_TEST = {"__init__", "__main__"}
SAYS_NOTHING = {"utils.py", "helpers.py", "misc.py", "common.py"}
LARGEST_WHEEL_BYTES = 16_000_000
LARGEST_FILE_BYTES = 20_000_000
# Written so that this line is no match of its own.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|raise Not[I]mplemented(Error)?)\b")
RELEASE_DEPENDENCY = re.compile(
    r"^onepaper\[(torch|jax)\]\{env:ONEPAPER_RELEASE: @ \{root:parent:parent:uri\}/shared\}$"
)


@dataclass(frozen=True)
class Package:
    """One folder of `packages/` and what its pyproject.toml says."""

    folder: Path
    project: dict

    @property
    def name(self) -> str:
        """Folder name, e.g. `perceiver-ar`."""
        return self.folder.name

    @property
    def module(self) -> str:
        """Import name, e.g. `perceiver_ar`."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        """The import package."""
        return self.folder / "src" / self.module


def packages(root: Path) -> list[Package]:
    """Every package of the repository."""
    found = []
    for file in sorted(root.glob("packages/*/pyproject.toml")):
        with file.open("rb") as opened:
            found.append(Package(file.parent, tomllib.load(opened)))
    return found


def anatomy(package: Package, root: Path) -> Iterator[str]:
    """Required files, and a test file for every module."""
    for name in REQUIRED_FILES:
        if not (package.folder / name).is_file():
            yield f"{package.folder / name}: missing; every package has one"
    for name in REQUIRED_MODULES:
        if not (package.source / name).is_file():
            yield f"{package.source / name}: missing; every package has one"
    if not (package.folder / "results").is_dir():
        yield f"{package.folder / 'results'}: missing; recorded results live there"
    for module in sorted(package.source.rglob("*.py")):
        test = package.folder / "tests" / module.relative_to(package.source).with_name(f"test_{module.name}")
        if module.stem not in WITHOUT_OWN_TEST and not test.is_file():
            yield f"{test}: missing; tests mirror the source, and {module.name} has none"
    if not (root / "docs" / "papers" / f"{package.name}.md").is_file():
        yield f"docs/papers/{package.name}.md: missing; every paper has a page"


def readme(package: Package) -> Iterator[str]:
    """What a reader of the package's README counts on."""
    file = package.folder / "README.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for wanted in REQUIRED_README:
        if wanted not in text:
            yield f"{file}: lacks `{wanted}`"


def metadata(package: Package, names: set[str]) -> Iterator[str]:
    """Distribution name, licence, dependencies that stay portable, no dependency on another paper."""
    file = package.folder / "pyproject.toml"
    project = package.project.get("project", {})
    if project.get("name") != f"onepaper-{package.name}":
        yield f"{file}: name is {project.get('name')!r}, expected 'onepaper-{package.name}'"
    if project.get("license") != "Apache-2.0":
        yield f"{file}: license is {project.get('license')!r}, expected 'Apache-2.0'"
    if project.get("requires-python") != ">=3.11":
        yield f"{file}: requires-python is {project.get('requires-python')!r}, expected '>=3.11'"
    extras = project.get("optional-dependencies", {})
    dependencies = [*project.get("dependencies", []), *(item for extra in extras.values() for item in extra)]
    if not any(RELEASE_DEPENDENCY.match(dependency) for dependency in dependencies):
        yield f"{file}: depends on onepaper in another form than the scaffold's, which serves checkouts and releases"
    for dependency in dependencies:
        wanted = re.match(r"[A-Za-z0-9._-]+", dependency)
        other = (wanted.group() if wanted else "").removeprefix("onepaper-")
        if dependency.startswith("onepaper-") and other in names - {package.name}:
            yield f"{file}: depends on another paper: {dependency}"
        if re.match(r"(torch|jax)\s*==", dependency):
            yield f"{file}: pins {dependency}; say a range, constraints belong into ci/"
    if "test" not in extras:
        yield f"{file}: has no `test` extra"
    if any(item.startswith("onepaper[jax]") for item in dependencies) and "cuda" not in extras:
        yield f"{file}: a JAX package has a `cuda` extra"
    entry = project.get("entry-points", {}).get("onepaper.papers", {})
    if entry != {package.name: f"{package.module}.paper:PAPER"}:
        yield f"{file}: entry point onepaper.papers is {entry}, expected {package.name} = {package.module}.paper:PAPER"


def light_start(package: Package) -> Iterator[str]:
    """The modules behind `list`, `--help`, `presets` and `claims` import no framework at module level."""
    for name in ("__init__.py", "__main__.py", "config.py", "claims.py", "paper.py"):
        file = package.source / name
        if not file.is_file():
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                if module.split(".")[0] in {"torch", "jax", "flax", "optax", "numpy", "scipy", "matplotlib"}:
                    yield f"{file}:{node.lineno}: imports {module} at the top; `onepaper list` must stay light"


def wheel_size(package: Package) -> Iterator[str]:
    """What hatchling would pack stays within the limit (compressed files hardly shrink further)."""
    size = sum(file.stat().st_size for file in package.source.rglob("*") if file.is_file() and file.suffix != ".pyc")
    if size > LARGEST_WHEEL_BYTES:
        yield f"{package.source}: {size / 1e6:.1f} MB, the wheel may have {LARGEST_WHEEL_BYTES / 1e6:.0f} MB"


def ledger(package: Package) -> Iterator[str]:
    """Every claim has a rule and an existing measurement, and no recorded verdict is older than its rule."""
    from onepaper.errors import OnePaperError
    from onepaper.fingerprint import claim_fingerprint
    from onepaper.paper import resolve
    from onepaper.results import assert_rules_match

    sys.path.insert(0, str(package.folder / "src"))
    try:
        paper = resolve(f"{package.module}.paper:PAPER")
        assert_rules_match(paper)
        for claim in paper.claims():
            if claim.measure:
                claim_fingerprint(claim, paper.package_folder())
    except (ImportError, OnePaperError, AssertionError) as error:
        yield f"{package.source / 'claims.py'}: {error}"
    finally:
        sys.path.pop(0)


def tree(root: Path) -> Iterator[str]:
    """Names that say nothing, unfinished marks and oversized files anywhere in the repository."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        file = root / name
        if not file.is_file():
            continue
        if file.name in SAYS_NOTHING:
            yield f"{name}: a name that says nothing; name the one idea of the file"
        if file.stat().st_size > LARGEST_FILE_BYTES:
            yield f"{name}: {file.stat().st_size / 1e6:.0f} MB, too large for the repository"
        if file.suffix in {".py", ".md", ".toml", ".yml", ".sh"}:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if UNFINISHED.search(line):
                    yield f"{name}:{number}: unfinished: {line.strip()[:80]}"


def breaches(root: Path) -> list[str]:
    """Every breach of the house rules below `root`."""
    every = packages(root)
    names = {package.name for package in every}
    told = list(tree(root))
    for package in every:
        told += [
            *anatomy(package, root),
            *readme(package),
            *metadata(package, names),
            *light_start(package),
            *wheel_size(package),
            *ledger(package),
        ]
    return told


def main() -> int:
    """Print every breach; 1 if there is any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    root = parser.parse_args().root
    told = breaches(root)
    for line in told:
        print(line)
    print(f"{len(told)} breaches in {len(packages(root))} packages")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
