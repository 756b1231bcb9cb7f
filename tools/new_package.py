"""Make a new paper package: everything that the repository requires, small and passing its tests.

    python tools/new_package.py my-paper --framework jax --title "A Title" --authors "A. One, B. Two" --year 2024

It writes packages/my-paper, its page and its tutorial, and adds the paper to the import contracts and the site. With
--try it makes one package for each framework, and one without, in a scratch copy of the working tree and runs their
tests, lint and docs there; CI does that.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jinja2
from render_results import render_overview

from onepaper.claims.tables import render_file
from onepaper.paper import resolve

ROOT = Path(__file__).parent.parent
TEMPLATE = Path(__file__).parent / "template"
# Files that replace those of the same name in a package without a framework, and those that it lacks.
TEMPLATE_PLAIN = Path(__file__).parent / "template_plain"
WITH_NETWORK = ("models", "training.py.j2", "train.py.j2", "costs.py.j2", "conftest.py.j2")
FRAMEWORKS = ("torch", "jax", "none")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Package:
    """The values of the templates."""

    name: str
    framework: str
    title: str
    authors: str
    venue: str
    year: int
    arxiv: str

    @property
    def module(self) -> str:
        """Import name."""
        return self.name.replace("-", "_")


def write_package(package: Package, root: Path) -> Path:
    """Render the templates into `root` and register the package; its folder.

    Raises:
        FileExistsError: a package of this name exists.
    """
    folder = root / "packages" / package.name
    folder.mkdir(parents=True)
    folders = [TEMPLATE_PLAIN, TEMPLATE] if package.framework == "none" else [TEMPLATE]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    for relative in sorted(template.relative_to(TEMPLATE) for template in TEMPLATE.rglob("*.j2")):
        names = {*relative.parts, relative.name.removeprefix("test_")}
        if package.framework == "none" and not names.isdisjoint(WITH_NETWORK):
            continue
        text = environment.get_template(relative.as_posix()).render(
            name=package.name,
            module=package.module,
            framework=package.framework,
            title=package.title,
            authors=package.authors,
            venue=package.venue,
            year=package.year,
            arxiv=package.arxiv,
        )
        target = target_of(relative, package, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    (folder / "src" / package.module / "py.typed").touch()
    (folder / "results").mkdir()
    (folder / "results" / ".gitkeep").touch()
    shutil.copy(root / "LICENSE", folder / "LICENSE")
    register(package, root)
    fill_tables(package, root)
    return folder


def target_of(template: Path, package: Package, root: Path) -> Path:
    """The path of a rendered template."""
    name = template.with_suffix("")
    folder = root / "packages" / package.name
    if name.name in ("page.md", "tutorial.md"):
        kind = "papers" if name.name == "page.md" else "tutorials"
        return root / "docs" / kind / f"{package.name}.md"
    if name.parts[0] == "src":
        return folder / "src" / package.module / Path(*name.parts[1:])
    return folder / name


def register(package: Package, root: Path) -> None:
    """Add the package to the lists of packages in pyproject.toml and mkdocs.yml."""
    settings = root / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    text = re.sub(r"root_packages = \[(.*)\]", rf'root_packages = [\1, "{package.module}"]', text, count=1)
    for field in ("modules", "forbidden_modules"):
        text = re.sub(
            rf"^{field} = \[(.*)\]$", rf'{field} = [\1, "{package.module}"]', text, count=1, flags=re.MULTILINE
        )
    settings.write_text(text, encoding="utf-8")
    site = root / "mkdocs.yml"
    text = site.read_text(encoding="utf-8")
    for heading, kind in (("  - Papers:\n", "papers"), ("  - Tutorials:\n", "tutorials")):
        text = text.replace(heading, f"{heading}      - {package.name}: {kind}/{package.name}.md\n", 1)
    text = re.sub(r"paths: \[(.*)\]", rf"paths: [\1, packages/{package.name}/src]", text, count=1)
    site.write_text(text, encoding="utf-8")


def fill_tables(package: Package, root: Path) -> None:
    """Write the claims tables, as `tools/render_results.py` does for every package."""
    sys.path.insert(0, str(root / "packages" / package.name / "src"))
    paper = resolve(f"{package.module}.paper:PAPER")
    for page in (root / "packages" / package.name / "README.md", root / "docs" / "papers" / f"{package.name}.md"):
        render_file(page, paper)
    render_overview(root)


def try_out(packages: list[Package]) -> None:
    """Scaffold in a scratch clone of the working tree; run the tests, lint and docs there, as for any package."""
    with tempfile.TemporaryDirectory(prefix="onepaper-scaffold-") as scratch:
        clone = Path(scratch) / "repository"
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone / name)
        for package in packages:
            write_package(package, clone)
        for command in (["git", "init", "-q"], ["git", "add", "-A"]):
            subprocess.run(command, cwd=clone, check=True)
        nox = shutil.which("nox") or str(Path(sys.prefix).parent.parent / ".venv" / "bin" / "nox")
        for command in (["-s", "tests", "--", *(package.name for package in packages)], ["-s", "lint"], ["-s", "docs"]):
            subprocess.run([nox, *command], cwd=clone, check=True)


def main() -> int:
    """Read the command line and make the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="folder and command name, e.g. perceiver-ar")
    parser.add_argument("--framework", choices=FRAMEWORKS, help="needed, but for --try")
    parser.add_argument("--title", default="A Paper Without a Title Yet")
    parser.add_argument("--authors", default="A. Author")
    parser.add_argument("--venue", default="arXiv")
    parser.add_argument("--year", type=int, default=2024)
    parser.add_argument("--arxiv", default="0000.00000")
    parser.add_argument(
        "--try",
        dest="try_it",
        action="store_true",
        help="one package for each framework, and one without, in a scratch clone, with tests, lint and docs there",
    )
    words = parser.parse_args()
    if not NAME.fullmatch(words.name):
        parser.error(f"name is '{words.name}', expected lower-case words joined by hyphens")

    def package(name: str, framework: str) -> Package:
        return Package(name, framework, words.title, words.authors, words.venue, words.year, words.arxiv)

    if words.try_it:
        try_out([package(f"{words.name}-{framework}", framework) for framework in FRAMEWORKS])
        return 0
    if words.framework is None:
        parser.error(f"--framework is missing, expected one of {', '.join(FRAMEWORKS)}")
    try:
        folder = write_package(package(words.name, words.framework), ROOT)
    except FileExistsError:
        parser.error(f"packages/{words.name} exists already")
    print(f"made {folder.relative_to(ROOT)}; next: .venv/bin/nox -s tests -- {words.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
