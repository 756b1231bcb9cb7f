"""Which claims rest on a definition: those whose measurements reach it, as fingerprints follow code."""

import sys
from pathlib import Path

from definitions import find_definition

from onepaper.claims import Claim
from onepaper.fingerprint import SHARED_FOLDER
from onepaper.fingerprint.sources import SHARED, Root, open_sources
from onepaper.fingerprint.tokens import Stream
from onepaper.paper import resolve


def claims_by_definition(package: Path) -> dict[str, list[str]]:
    """For every definition at module level that a claim of `packages/NAME` reaches, by dotted name, the claims' ids."""
    module = package.name.replace("-", "_")
    sys.path.insert(0, str(package / "src"))
    claims: tuple[Claim, ...] = resolve(f"{module}.claims:CLAIMS")
    stream = Stream(open_sources({module: package / "src" / module, SHARED: SHARED_FOLDER}))
    found: dict[str, list[str]] = {}
    for claim in claims:
        for root in reached(stream, claim.measure) if claim.measure else ():
            found.setdefault(f"{root.module}.{root.name}", []).append(claim.id)
    return found


def reached(stream: Stream, measure: str) -> list[Root]:
    """The definitions behind `package.module:function`, the nearest first."""
    start = stream.sources.resolve(*measure.split(":"))
    found = [start] if isinstance(start, Root) else []
    for root in found:  # grows meanwhile
        found += dict.fromkeys(
            piece for piece in stream.encoded(root) if isinstance(piece, Root) and piece not in found
        )
    return found


def definition_at_top(source: Path, dotted: str) -> str:
    """`package.module.Class` for `package.module.Class.method`; a name at module level as it is."""
    found = find_definition(source, dotted)
    module = len(found.file.relative_to(source).parts) if found else 0
    return ".".join(dotted.split(".")[: module + 1])
