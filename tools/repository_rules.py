"""Check the rules of this repository that no ordinary linter knows; every breach is one line, and any breach exits 1.

Usage: python tools/repository_rules.py [--root FOLDER]

What well-kept tools check is left to them: formatting, lint and docstrings to ruff, the order of imports to
import-linter, declared dependencies to deptry. Those run beside this program in `nox -s lint`.
"""

import argparse
import ast
import re
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from definitions import EQUATIONS, equation_rows, find_definition, functions_of

REQUIRED_FILES = ("README.md", "pyproject.toml", "DATA.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
REQUIRED_MODULES = ("__init__.py", "__main__.py", "presets.py", "claims.py", "paper.py", "py.typed", "cli")
CONFIGURATIONS = ("config.py", "config/__init__.py")
REQUIRED_README = ("```bibtex", "python3 -m venv", "pip install", "<!-- claims:begin -->", "<!-- claims:end -->")
WITHOUT_OWN_TEST = {"__init__", "__main__"}
SAYS_NOTHING = {"utils.py", "helpers.py", "misc.py", "common.py"}
LARGEST_WHEEL_BYTES = 16_000_000
LARGEST_FILE_BYTES = 20_000_000
LARGEST_FOLDER = 12
PROSE = {".py", ".md", ".toml", ".yml", ".sh", ".j2"}
# Words that are images or private to us, with what the field says instead; parts of names count too.
BANNED_WORDS = {
    r"houses?": "shared infrastructure, or drop it",
    r"told|tells?(?!\()|telling": "given, conditioned on; says, reports",
    r"judg(?:es?|ed|ing|e?ments?)": "evaluate, decide",
    r"afresh": "again",
    r"nobody|everybody|somebody": "name who, or what is masked",
    r"exhibitions?": "sample logger",
}
BANNED = {re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.IGNORECASE): use for word, use in BANNED_WORDS.items()}
# Names of arms, which recorded results rest on.
ALLOWED = ("splice sites afresh",)
WITH_BANNED_WORDS = {"tools/repository_rules.py", "tools/tests/test_repository_rules.py"}
# A numbered reference needs its source in the same sentence.
REFERENCE = re.compile(r"\b(?:sections?|items?|appendix|appendices|chapter)\s+(?:\d|[A-Z]\b)", re.IGNORECASE)
SOURCE = re.compile(r"\bpapers?\b|\bofficial\b|docs/|\b[A-Z][\w'-]+[^;]{0,60}\(?(?:19|20)\d\d", re.IGNORECASE)
# Written so that this line is no match of its own.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|raise Not[I]mplemented(Error)?)\b")
RELEASE_DEPENDENCY = re.compile(
    r"^onepaper(\[[a-z]+(,[a-z]+)*\])?\{env:ONEPAPER_RELEASE: @ \{root:parent:parent:uri\}/shared\}$"
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
        if not (package.source / name).exists():
            yield f"{package.source / name}: missing; every package has one"
    if not any((package.source / name).is_file() for name in CONFIGURATIONS):
        yield f"{package.source / 'config.py'}: missing; the lowest layer is config.py, or config/ with files"
    if not (package.folder / "results").is_dir():
        yield f"{package.folder / 'results'}: missing; recorded results live there"
    for module in sorted(package.source.rglob("*.py")):
        test = package.folder / "tests" / module.relative_to(package.source).with_name(f"test_{module.name}")
        if module.stem not in WITHOUT_OWN_TEST and not test.is_file():
            yield f"{test}: missing; tests mirror the source, and {module.name} has none"
    if not (root / "docs" / "papers" / f"{package.name}.md").is_file():
        yield f"docs/papers/{package.name}.md: missing; every paper has a page"


def folders(source: Path) -> Iterator[str]:
    """A folder holds at most a dozen modules, and no module has the name of a folder beside it."""
    for folder in (source, *sorted(path for path in source.rglob("*") if path.is_dir())):
        modules = {path.stem for path in folder.glob("*.py")} - WITHOUT_OWN_TEST
        if len(modules) > LARGEST_FOLDER:
            yield f"{folder}: {len(modules)} modules, expected at most {LARGEST_FOLDER}; make folders of one idea each"
        for name in sorted(modules & {path.name for path in folder.iterdir() if path.is_dir()}):
            yield f"{folder / name}.py: has the name of a folder beside it"


def verbs(package: Package) -> Iterator[str]:
    """Each verb is a module of `cli/`, or of a folder in it, by its name, and nothing else prints."""
    from onepaper.errors import OnePaperError
    from onepaper.paper import Paper, resolve

    sys.path.insert(0, str(package.folder / "src"))
    try:
        paper: Paper = resolve(f"{package.module}.paper:PAPER")
        for verb in paper.verbs:
            wanted = f"{package.module}.cli.{verb.name.replace('-', '_')}"
            folder, _, name = wanted.rpartition(".")
            # `import` is no name of a module: `import_official` is.
            if not re.fullmatch(rf"{re.escape(folder)}\.(\w+\.)?{name}\w*", verb.run.partition(":")[0]):
                yield f"{package.source / 'paper.py'}: verb {verb.name} runs {verb.run}, expected one of {wanted}"
    except (ImportError, OnePaperError) as error:
        yield f"{package.source / 'paper.py'}: {error}"
    finally:
        sys.path.pop(0)
    for file in sorted(package.source.rglob("*.py")):
        if file.is_relative_to(package.source / "cli"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                yield f"{file}:{node.lineno}: prints; only `cli/` prints"


def equations(package: Package, root: Path) -> Iterator[str]:
    """The table of equations names functions that exist."""
    page = root / "docs" / "papers" / f"{package.name}.md"
    rows = equation_rows(page.read_text(encoding="utf-8") if page.is_file() else "")
    if not rows:
        yield f"{page}: has no table below `{EQUATIONS}`"
    for row in rows:
        names = functions_of(row)
        if not names:
            yield f"{page}: `{row[:60]}` names no function"
        for name in names:
            if find_definition(package.source.parent, name) is None:
                yield f"{page}: `{name}` is not defined"


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
    if any(item.startswith("onepaper[jax") for item in dependencies) and "cuda" not in extras:
        yield f"{file}: a JAX package has a `cuda` extra"
    entry = project.get("entry-points", {}).get("onepaper.papers", {})
    if entry != {package.name: f"{package.module}.paper:PAPER"}:
        yield f"{file}: entry point onepaper.papers is {entry}, expected {package.name} = {package.module}.paper:PAPER"


def light_start(package: Package) -> Iterator[str]:
    """The modules behind `list`, `--help`, `presets` and `claims` import no framework at module level."""
    names = ("__init__.py", "__main__.py", "config.py", "config/*.py", "presets.py", "claims.py", "paper.py")
    for file in sorted(file for name in names for file in package.source.glob(name)):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                if module.split(".")[0] in {"torch", "jax", "flax", "optax", "numpy", "scipy", "matplotlib"}:
                    yield f"{file}:{node.lineno}: imports {module} at the top; `onepaper list` must stay light"


def _packed_size(file: Path) -> int:
    """Bytes of a file in a wheel; pictures and archives do not shrink."""
    if file.suffix in (".py", ".toml", ".tsv", ".txt", ".html", ".json", ".safetensors"):
        return len(zlib.compress(file.read_bytes()))
    return file.stat().st_size


def wheel_size(package: Package) -> Iterator[str]:
    """What hatchling would pack stays within the limit."""
    files = [file for file in package.source.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    size = sum(_packed_size(file) for file in files)
    if size > LARGEST_WHEEL_BYTES:
        yield f"{package.source}: {size / 1e6:.1f} MB, the wheel may have {LARGEST_WHEEL_BYTES / 1e6:.0f} MB"


def ledger(package: Package) -> Iterator[str]:
    """Every claim has a rule and an existing measurement, and no recorded verdict is older than its rule."""
    from onepaper.claims.results import assert_rules_match
    from onepaper.errors import OnePaperError
    from onepaper.fingerprint import claim_fingerprint
    from onepaper.paper import resolve

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
        if file.suffix in PROSE:
            text = file.read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                if UNFINISHED.search(line):
                    yield f"{name}:{number}: unfinished: {line.strip()[:80]}"
            yield from language(name, text)


def language(name: str, text: str) -> Iterator[str]:
    """Banned words, and numbered references without a source in the same line or the one before."""
    lines = text.splitlines()
    table = ""
    for number, line in enumerate(lines, 1):
        # In a table, the heading may name the source for all rows.
        is_row = name.endswith(".md") and line.startswith("|")
        table = (table or line) if is_row else ""
        if name not in WITH_BANNED_WORDS:
            for banned, instead in BANNED.items():
                if (found := banned.search(line)) and not any(allowed in line for allowed in ALLOWED):
                    yield f"{name}:{number}: '{found.group()}': write {instead}"
        around = " ".join([lines[number - 2] if number > 1 else "", line, table])
        if REFERENCE.search(line) and "place=" not in line and not SOURCE.search(around):
            yield f"{name}:{number}: a reference without its source: {line.strip()[:80]}"


def breaches(root: Path) -> list[str]:
    """Every breach of the rules below `root`."""
    every = packages(root)
    names = {package.name for package in every}
    found = [*tree(root), *folders(root / "shared" / "src" / "onepaper")]
    for package in every:
        found += [
            *anatomy(package, root),
            *folders(package.source),
            *verbs(package),
            *equations(package, root),
            *readme(package),
            *metadata(package, names),
            *light_start(package),
            *wheel_size(package),
            *ledger(package),
        ]
    return found


def main() -> int:
    """Print every breach; 1 if there is any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    root = parser.parse_args().root
    found = breaches(root)
    for line in found:
        print(line)
    print(f"{len(found)} breaches in {len(packages(root))} packages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
