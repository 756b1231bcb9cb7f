"""A hash of the code that a claim rests on, so that a recorded result knows whether it still belongs to it.

Nothing is executed. Starting from the function that measures a claim, every definition that the code refers to is
followed, through imports of any form, inside the paper's package and into the shared package; what a claim's rule is
made of is followed too. The hash is taken over a stream of tokens in the order in which definitions are reached.

The stream says what the code does, and not where it stands: it holds no names of modules and none of functions, classes
and constants at module level (a reference is the number of the definition that it means). Moving or renaming them
leaves the hash as it is. Neither do these count: comments, docstrings, formatting, annotations, `if TYPE_CHECKING`,
what an exception says, validators (functions that raise or do nothing), the headline and the artifacts of
`Evidence`, calls of functions that return a `Figure`, what the training loop draws for its sample pages
(`fit(draw=)`), folders of assets (an asset counts by its content), and of a table of constants (`PRESETS["laptop"]`)
the other entries. A changed constant, operation or order of operations does count.

Of the shared package the code that takes part in computing numbers counts: training steps, the training loop,
batches, statistics and rules. `WITHOUT_NUMBERS` lists the modules that do not, such as logs and reports. Code that is
reached only by computed names (`getattr`, `importlib`) is not seen: refer to what a claim needs by name. What the
decorator `marks.unmeasured` marks, such as readers of the user's files, is left out, and no measurement can use it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onepaper.errors import UsageError
from onepaper.fingerprint.sources import SHARED, Root, open_sources
from onepaper.fingerprint.tokens import Stream, Token

if TYPE_CHECKING:
    from onepaper.claims import Claim, Rule

__all__ = [
    "SHARED_FOLDER",
    "Token",
    "asset_digests",
    "claim_fingerprint",
    "claim_fingerprints",
    "code_fingerprint",
    "code_tokens",
    "rule_names",
    "unmeasured_definitions",
]

SHARED_FOLDER = Path(__file__).parents[1]


def claim_fingerprint(claim: "Claim", package_folder: Path) -> str:
    """SHA-256 over what a claim's result rests on: its measurement, its assets and the code of its rule."""
    return code_fingerprint(claim.measure, package_folder, claim.assets, rule_names(claim.rule))


def claim_fingerprints(claims: Iterable["Claim"], package_folder: Path) -> dict[str, str]:
    """`claim_fingerprint` of each claim, by its id; taken from the user's cache while no source file changes."""
    from onepaper.fingerprint.cache import FingerprintCache

    cache = FingerprintCache({package_folder.name: package_folder, SHARED: SHARED_FOLDER})
    found: dict[str, str] = {}
    for claim in claims:
        key = " ".join([claim.measure, *rule_names(claim.rule), *asset_digests(package_folder, claim.assets)])
        fingerprint = cache.get(key)
        if fingerprint is None:
            fingerprint = claim_fingerprint(claim, package_folder)
            cache.put(key, fingerprint)
        found[claim.id] = fingerprint
    cache.save()
    return found


def rule_names(rule: "Rule") -> tuple[str, ...]:
    """The classes of a rule and of its parts."""

    def names(values: Mapping[str, Any]) -> Iterator[str]:
        yield values["rule"]
        for part in values.get("rules", ()):
            yield from names(part)

    return tuple(sorted(set(names(rule.to_dict()))))


def code_fingerprint(
    measure: str,
    package_folder: Path,
    assets: Sequence[str] = (),
    rules: Sequence[str] = (),
    shared_folder: Path = SHARED_FOLDER,
) -> str:
    """SHA-256 over the code reached from `measure` and from rule classes, and over the claim's assets.

    Args:
        measure: `package.module:function`.
        package_folder: the folder of the import package `package`.
        assets: files relative to `package_folder`.
        rules: names of rule classes of the shared package.
        shared_folder: the folder of the shared package.

    Raises:
        UsageError: a module, function or asset does not exist, a module does not parse, or the package is another.
    """
    stream, roots = _stream(measure, package_folder, rules, shared_folder)
    digest = hashlib.sha256(stream.lines(roots))
    for content in sorted(asset_digests(package_folder, assets)):
        digest.update(f"asset {content}\n".encode())
    return digest.hexdigest()


def asset_digests(package_folder: Path, assets: Sequence[str]) -> list[str]:
    """SHA-256 of the content of each asset.

    Raises:
        UsageError: an asset cannot be read.
    """
    digests: list[str] = []
    for asset in assets:
        try:
            digests.append(hashlib.sha256((package_folder / asset).read_bytes()).hexdigest())
        except OSError as error:
            raise UsageError(f"asset {package_folder / asset}: {error.strerror}; correct the claim") from None
    return digests


def unmeasured_definitions(package_folder: Path, shared_folder: Path = SHARED_FOLDER) -> frozenset[Root]:
    """The marked definitions that the fingerprints of this process have met."""
    return frozenset(open_sources({package_folder.name: package_folder, SHARED: shared_folder}).unmeasured)


def code_tokens(
    measure: str,
    package_folder: Path,
    rules: Sequence[str] = (),
    shared_folder: Path = SHARED_FOLDER,
    unmeasured: frozenset[Root] = frozenset(),
) -> list[Token]:
    """The token stream behind `code_fingerprint`, without assets; `unmeasured` adds to what is marked so."""
    stream, roots = _stream(measure, package_folder, rules, shared_folder, unmeasured)
    return stream.of(roots)


def _stream(
    measure: str,
    package_folder: Path,
    rules: Sequence[str],
    shared_folder: Path,
    unmeasured: frozenset[Root] = frozenset(),
) -> tuple[Stream, list[Root]]:
    """The sources as a stream, and the definitions to start from."""
    module, _, function = measure.partition(":")
    if module.split(".")[0] != package_folder.name:
        raise UsageError(f"measure '{measure}' is outside the package '{package_folder.name}' in {package_folder}")
    sources = open_sources({package_folder.name: package_folder, SHARED: shared_folder}, unmeasured)
    if function not in sources.module(module).bindings:
        raise UsageError(f"module {module} has no {function}; correct the claim's measure")
    # A rule reads its measurements through arguments, which no import shows.
    decisive = [*rules, "Measurement"] if rules else []
    roots = [sources.resolve(module, function), *(sources.rule(name) for name in decisive)]
    return Stream(sources), [root for root in roots if isinstance(root, Root)]
