"""What the packages need and a machine lacks, found out without a network and before anything runs."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from gpu_items import Item, PlanError

try:
    from packaging.requirements import Requirement
except ImportError:  # a machine with nothing but pip
    from pip._vendor.packaging.requirements import Requirement  # pyright: ignore[reportMissingImports]

# The shared package in a paper's dependencies: its extras, then what only hatchling reads.
_SHARED = re.compile(r"onepaper(?:\[([\w,]*)\])?\{")


def requirements_of(root: Path, item: Item) -> list[str]:
    """Direct requirements of an item: of its package with extras, and of the shared package with its frameworks."""
    folder = root / "shared" if item.package == "shared" else root / "packages" / item.package
    words = _declared(folder, item.extras)
    found = [word for word in words if not _SHARED.match(word)]
    extras = {extra for word in words if (match := _SHARED.match(word)) for extra in (match[1] or "").split(",")}
    return sorted({*found, *_declared(root / "shared", [*sorted(extras - {""}), *item.needs])})


def _declared(folder: Path, extras: Iterable[str]) -> list[str]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project.get("dependencies", []), *(w for e in extras for w in project["optional-dependencies"].get(e, []))]


def missing(requirements: Sequence[str], path: Sequence[str]) -> list[str]:
    """Requirements that are not met by what is installed in `path`, those of installed packages included."""
    return sorted(set(_missing([Requirement(word) for word in requirements], list(path))))


def _missing(requirements: list[Any], path: list[str]) -> Iterator[str]:
    seen: set[tuple[str, frozenset[str]]] = set()
    while requirements:
        requirement = requirements.pop()
        key = (requirement.name.lower(), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found = next(iter(metadata.distributions(name=requirement.name, path=path)), None)
        if found is None:
            yield str(requirement)
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            yield f"{requirement} (installed: {found.version})"
        for word in found.requires or ():
            further = Requirement(word)
            applies = [{"extra": extra} for extra in ("", *requirement.extras)]
            if further.marker is None or any(further.marker.evaluate(values) for values in applies):
                requirements.append(further)


def install(wheels: Path, target: Path) -> None:
    """Unpack all wheels of a folder into another one; pip looks neither at an index nor at dependencies.

    Raises:
        PlanError: there are no wheels, or pip refused one.
    """
    files = sorted(map(str, wheels.glob("*.whl")))
    if not files:
        raise PlanError(f"{wheels} has no .whl files; fill it where there is a network: {download_command(['NAME'])}")
    options = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([sys.executable, "-m", "pip", "install", *options, *files], capture_output=True, text=True)
    if done.returncode:
        raise PlanError(f"pip could not install the wheels of {wheels}: {done.stderr.strip().splitlines()[-1]}")


def download_command(requirements: Sequence[str]) -> str:
    """How to get wheels where there is a network."""
    words = " ".join(f'"{word.split(" (")[0]}"' for word in requirements)
    return f"pip download --only-binary :all: --dest wheels {words}"
