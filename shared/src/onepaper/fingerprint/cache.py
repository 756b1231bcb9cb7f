"""Fingerprints kept between commands, in the user's cache folder, for as long as no source file changes.

The file of a package is valid for one content of all sources (the package's and the shared package's, this module
included) and one version of Python. A file that is damaged, or was written for other sources, counts as absent; where
nothing can be written, nothing is kept.
"""

import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from onepaper.errors import OnePaperError
from onepaper.runs import write_atomic


class FingerprintCache:
    """Fingerprints by key, of the sources in some folders as they are now."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        package, folder = next(iter(folders.items()))
        place = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        self.path = platformdirs.user_cache_path("onepaper") / "fingerprints" / f"{package}-{place}.json"
        self.sources = _digest_of_sources(folders)
        self._kept = self._read()
        self._changed = False

    def get(self, key: str) -> str | None:
        """The fingerprint under a key, if there is one."""
        return self._kept.get(key)

    def put(self, key: str, fingerprint: str) -> None:
        """Keep a fingerprint from the next `save` on."""
        self._kept[key] = fingerprint
        self._changed = True

    def save(self) -> None:
        """Write what was added."""
        if not self._changed or not self.path.is_absolute():  # without a home folder
            return
        values = {"sources": self.sources, "check": _digest(self._kept), "fingerprints": self._kept}
        with contextlib.suppress(OnePaperError):
            write_atomic(self.path, json.dumps(values))

    def _read(self) -> dict[str, str]:
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
            kept = values["fingerprints"]
            return kept if values["sources"] == self.sources and values["check"] == _digest(kept) else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _digest_of_sources(folders: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name, folder in folders.items():
        for path in sorted(folder.rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name} {path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
