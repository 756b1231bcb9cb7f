"""Checks before a release: versions agree, and wheels and source archives hold the licences of what they embed.

python tools/release.py versions
python tools/release.py archives dist/ [PAPER ...]
"""

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def projects(root: Path) -> list[Path]:
    """The folders of the shared package and of the papers."""
    return [root / "shared", *(file.parent for file in sorted(root.glob("packages/*/pyproject.toml")))]


def version_of(folder: Path) -> str:
    """The version in a folder's `pyproject.toml`."""
    return str(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def version_problems(root: Path) -> Iterator[str]:
    """Change logs whose newest entry, and citations whose version, differ from the project's."""
    for folder in projects(root):
        version, name = version_of(folder), folder.relative_to(root)
        for file, pattern in (("CHANGELOG.md", r"^## (\S+)"), ("CITATION.cff", r"^version: \"?([^\s\"]+)")):
            path = folder / file
            if not path.is_file():
                if folder.name != "shared":  # the shared package's are those of the repository
                    yield f"{name}: {file} is missing"
                continue
            found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
            if found is None or found.group(1) != version:
                yield f"{name}: {file} has {found.group(1) if found else 'no version'}, pyproject.toml {version}"


def archive_problems(root: Path, dist: Path, papers: Sequence[str] = ()) -> Iterator[str]:
    """Wheels and source archives that are missing, or lack the licence of the package or of data that they embed.

    Args:
        root: of the repository.
        dist: the folder of the archives.
        papers: only these, with the shared package; all where there are none.
    """
    for folder in projects(root):
        if papers and folder.name not in ("shared", *papers):
            continue
        name = folder.name if folder.name == "shared" else f"onepaper_{folder.name.replace('-', '_')}"
        stem = f"{'onepaper' if name == 'shared' else name}-{version_of(folder)}"
        licences = {path.name for path in folder.glob("src/*/assets/data/*licence*")} | {"LICENSE"}
        for archive in (dist / f"{stem}-py3-none-any.whl", dist / f"{stem}.tar.gz"):
            if not archive.is_file():
                yield f"{archive.name} is missing from {dist}"
                continue
            held = {Path(member).name for member in _members(archive)}
            yield from (f"{archive.name} lacks {licence}" for licence in sorted(licences - held))


def _members(archive: Path) -> list[str]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.namelist()
    with tarfile.open(archive) as source:
        return source.getnames()


def main(words: list[str]) -> int:
    """Print the problems; 1 if there are any."""
    found = version_problems(ROOT) if words[0] == "versions" else archive_problems(ROOT, Path(words[1]), words[2:])
    problems = list(found)
    print("\n".join(problems) or f"{words[0]}: no problem")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
