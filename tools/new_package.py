"""Make a new paper package: everything that the repository requires, small and passing its tests.

    python tools/new_package.py my-paper --framework jax --title "A Title" --authors "A. One, B. Two" --year 2024

It writes packages/my-paper, its page and its tutorial, and adds the paper to the import contracts and the site. With
--into FOLDER it writes a package that stands alone into an empty folder anywhere, which depends on released wheels of
the shared package and has tests, a tutorial and a workflow of CI. With --try it makes one package for each framework,
and one without, in a scratch copy of the working tree and runs their tests, lint and docs there; CI does that.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
from render_results import render_overview

import onepaper
from onepaper.claims.tables import render_file
from onepaper.errors import UsageError
from onepaper.paper import Paper, resolve

ROOT = Path(__file__).parent.parent
TEMPLATE = Path(__file__).parent / "template"
# Files that replace those of the same name in a package without a framework, and those that it lacks.
TEMPLATE_PLAIN = Path(__file__).parent / "template_plain"
# Files of a package that stands alone, and those of the templates that are for the repository's site.
TEMPLATE_ALONE = Path(__file__).parent / "template_alone"
OF_THE_SITE = ("page.md.j2",)
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
        UsageError: a package of this name exists.
    """
    folder = root / "packages" / package.name
    if folder.exists():
        raise UsageError(f"{folder} exists already; choose another name or remove it")
    render(package, {template: target_of(template, package, root) for template in templates_of(package)})
    complete(package, folder)
    register(package, root)
    fill_tables(package, root)
    return folder


def write_alone(package: Package, folder: Path) -> Path:
    """Render the templates of a package that stands alone into an empty folder, or one that does not exist; the folder.

    Raises:
        UsageError: the folder holds something, or is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; name an empty one, or one to make")
    targets = {}
    for template in templates_of(package, alone=True):
        name = template.with_suffix("")
        inside = Path("src", package.module, *name.parts[1:]) if name.parts[0] == "src" else name
        targets[template] = folder / ("docs" / name if name.name == "tutorial.md" else inside)
    render(package, targets, alone=True)
    complete(package, folder)
    render_file(folder / "README.md", paper_of(package, folder))
    return folder


def template_folders(package: Package, alone: bool) -> list[Path]:
    """The folders of templates; a file of an earlier one takes the place of those of its name in later ones."""
    return [
        *([TEMPLATE_ALONE] if alone else []),
        *([TEMPLATE_PLAIN] if package.framework == "none" else []),
        TEMPLATE,
    ]


def templates_of(package: Package, alone: bool = False) -> list[Path]:
    """The templates that make the package, relative to their folders."""
    folders = template_folders(package, alone)
    found = {template.relative_to(folder) for folder in folders for template in folder.rglob("*.j2")}
    left_out = (*(WITH_NETWORK if package.framework == "none" else ()), *(OF_THE_SITE if alone else ()))
    return sorted(
        template for template in found if not {*template.parts, template.name.removeprefix("test_")} & {*left_out}
    )


def render(package: Package, targets: dict[Path, Path], alone: bool = False) -> None:
    """Write each template, filled with the values of the package, to its target."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folders(package, alone)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    major, minor = onepaper.__version__.split(".")[:2]
    released = f">={major}.{minor},<{major}.{int(minor) + 1}"
    for template, target in targets.items():
        text = environment.get_template(template.as_posix()).render(
            **asdict(package), module=package.module, alone=alone, released=released
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def complete(package: Package, folder: Path) -> None:
    """Add what is no template: the mark of types, the folder of results and the licence."""
    (folder / "src" / package.module / "py.typed").touch()
    (folder / "results").mkdir()
    (folder / "results" / ".gitkeep").touch()
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE")


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
    folder = root / "packages" / package.name
    for page in (folder / "README.md", root / "docs" / "papers" / f"{package.name}.md"):
        render_file(page, paper_of(package, folder))
    render_overview(root)


def paper_of(package: Package, folder: Path) -> Paper:
    """The description of the paper whose package is in `folder`."""
    sys.path.insert(0, str(folder / "src"))
    return resolve(f"{package.module}.paper:PAPER")


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
        # With an option, the session only builds: the pages of the other papers were looked at before.
        docs = ["-s", "docs", "--", "--site-dir", "site"]
        for command in (["-s", "tests", "--", *(package.name for package in packages)], ["-s", "lint"], docs):
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
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="an empty folder for a package that stands alone")
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
    made = package(words.name, words.framework)
    try:
        folder = write_alone(made, words.into) if words.into else write_package(made, ROOT)
    except UsageError as error:
        parser.error(str(error))
    if words.into:
        print(f"made {folder}; next, there: the lines below Install in README.md")
    else:
        print(f"made {folder.relative_to(ROOT)}; next: .venv/bin/nox -s tests -- {words.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
