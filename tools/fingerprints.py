"""Carry recorded results over a change that only moves and renames code.

    python tools/fingerprints.py COMMIT            # what is proven for each result, and what is not
    python tools/fingerprints.py COMMIT --write    # give proven results the fingerprint of the code as it is now

A result recorded at or before COMMIT, and current there by COMMIT's own code, rests on that commit's code. Its claim's
code there and here are compared token by token (see `onepaper.fingerprint`: what computes nothing is left out,
and so are names at module level). A result is proven where they are

- equal, or
- equal after renaming: each name of today (attribute, method, keyword, parameter, local name) stands for one name of
  COMMIT throughout. Replacing today's names by those gives COMMIT's code back, so both compute the same numbers (or
  today's code raises an error, where a definition and its use were renamed apart, which tests see). A name that stands
  for two former names proves nothing and is reported. A string may change only where it is the name of an attribute
  that was renamed in the same way (`getattr(self, "steps")`).

A definition that is marked as unmeasured today is left out on both sides: today's measurement cannot use it, and
COMMIT's code, equal up to its first use, did not use it either.

The rule's data, the assets' content and the result itself, but for its fingerprint, must be unchanged. Needs the
packages of this checkout, not installed ones.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "shared" / "src"))

from onepaper.claims import Claim  # noqa: E402
from onepaper.claims.results import digest_of  # noqa: E402
from onepaper.errors import UsageError  # noqa: E402
from onepaper.fingerprint import (  # noqa: E402
    Token,
    asset_digests,
    claim_fingerprint,
    code_tokens,
    rule_names,
    unmeasured_definitions,
)
from onepaper.paper import Paper, resolve  # noqa: E402

# Run inside the former tree, by its own code: which results are current there.
_ASK = """
import json, sys
from onepaper.paper import resolve
try:
    from onepaper.claims.results import read_results, result_status
except ImportError:  # before the ledger was a package
    from onepaper.results import read_results, result_status
paper = resolve(sys.argv[1] + ".paper:PAPER")
recorded = read_results(paper)
print(json.dumps({
    claim.id: {
        "measure": claim.measure,
        "assets": claim.assets,
        "rule": claim.rule.hash(),
        "status": result_status(claim, recorded[claim.id], paper.package_folder()),
    }
    for claim in paper.claims() if claim.id in recorded
}))
"""


def former_tree(commit: str, folder: Path) -> Path:
    """The files of a commit in a folder.

    Raises:
        UsageError: there is no such commit.
    """
    done = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False)
    if done.returncode:
        raise UsageError(f"commit {commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def former_claims(tree: Path, paper: str) -> dict[str, dict[str, Any]]:
    """Claims with recorded results of a former tree, with their status by that tree's own code."""
    module = paper.replace("-", "_")
    path = [str(tree / "shared" / "src"), str(tree / "packages" / paper / "src")]
    code = f"import sys; sys.path[:0] = {path!r}\n{_ASK}"
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"{paper} of the former tree: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def compare(before: Sequence[Token], after: Sequence[Token]) -> tuple[str, dict[str, str]]:
    """What keeps two token streams from being equal up to renaming (empty: nothing), and the names that changed."""
    names: dict[tuple[str, int, str], str] = {}
    strings: list[tuple[int, str, str]] = []
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        renamed = old.kind == new.kind in ("name", "local")
        if not renamed and old[:2] != new[:2]:
            if old.kind == new.kind == "constant" and old.text[:1] == new.text[:1] in ("'", '"'):
                strings.append((index, old.text[1:-1], new.text[1:-1]))
                continue
            return _difference(before, after, index), {}
        if renamed:
            key = (new.kind, new.scope, new.text)
            if names.setdefault(key, old.text) != old.text:
                return f"'{new.text}' stands for both '{names[key]}' and '{old.text}'", {}
    if len(before) != len(after):
        return _difference(before, after, min(len(before), len(after))), {}
    for index, old_text, new_text in strings:
        if names.get(("name", 0, new_text)) != old_text:
            return _difference(before, after, index), {}
    return "", {name: old for (_, _, name), old in names.items() if name != old}


def _difference(before: Sequence[Token], after: Sequence[Token], index: int) -> str:
    def words(tokens: Sequence[Token]) -> str:
        definition = [number for number in range(min(index, len(tokens))) if tokens[number].kind == "definition"]
        near = tokens[max(index - 12, definition[-1] if definition else 0) : index + 6]
        return " ".join(token.text or token.kind for token in near)

    return f"token {index}\n      was: {words(before)}\n      is:  {words(after)}"


def prove(paper: Paper, tree: Path) -> Iterator[tuple[Claim, str, dict[str, str]]]:
    """For each result: the claim, why it is not proven (empty: it is) and the names that changed."""
    former = former_claims(tree, paper.name)
    module = paper.name.replace("-", "_")
    old_folder, old_shared = tree / "packages" / paper.name / "src" / module, tree / "shared" / "src" / "onepaper"
    results = ROOT / "packages" / paper.name / "results"
    for claim in paper.claims():
        path = results / f"{claim.id}.json"
        if not path.is_file():
            continue
        old = former.get(claim.id)
        if old is None:
            yield claim, "no result there", {}
        elif old["status"] != "current":
            yield claim, f"{old['status']} there", {}
        elif old["rule"] != claim.rule.hash():
            yield claim, "the rule changed", {}
        elif _without_hash(tree / path.relative_to(ROOT)) != _without_hash(path):
            yield claim, "the result changed", {}
        elif sorted(asset_digests(old_folder, old["assets"])) != sorted(
            asset_digests(paper.package_folder(), claim.assets)
        ):
            yield claim, "an asset changed", {}
        else:
            rules = rule_names(claim.rule)
            after = code_tokens(claim.measure, paper.package_folder(), rules)
            unmeasured = unmeasured_definitions(paper.package_folder())
            yield claim, *compare(code_tokens(old["measure"], old_folder, rules, old_shared, unmeasured), after)


def _without_hash(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name not in ("code_hash", "sha256")}


def write_hash(paper: Paper, claim: Claim) -> bool:
    """Put the fingerprint of the code as it is now into a result; whether that changed the file."""
    path = ROOT / "packages" / paper.name / "results" / f"{claim.id}.json"
    text = path.read_text(encoding="utf-8")
    values = json.loads(text) | {"code_hash": claim_fingerprint(claim, paper.package_folder())}
    values["sha256"] = digest_of(values)
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8") != text


def main() -> int:
    """Compare, print and perhaps write; 1 where a result is not proven."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], epilog="see the head of this file for what a proof is"
    )
    parser.add_argument("commit", help="where the results were current")
    parser.add_argument("papers", nargs="*", help="only these packages [default: all that the commit has]")
    parser.add_argument("--write", action="store_true", help="write fingerprints of proven results")
    parser.add_argument("--names", action="store_true", help="print the names that changed")
    options = parser.parse_args()
    unproven = 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            tree = former_tree(options.commit, Path(folder))
            for name in options.papers or sorted(path.parent.name for path in tree.glob("packages/*/pyproject.toml")):
                sys.path.insert(0, str(ROOT / "packages" / name / "src"))
                paper: Paper = resolve(f"{name.replace('-', '_')}.paper:PAPER")
                for claim, problem, renamed in prove(paper, tree):
                    done = ", written" if not problem and options.write and write_hash(paper, claim) else ""
                    kind = f"equal after renaming {len(renamed)} names" if renamed else "equal"
                    print(f"{name} {claim.id}: {problem or kind + done}")
                    if options.names and renamed:
                        print("      " + ", ".join(f"{old} -> {new}" for new, old in sorted(renamed.items())))
                    unproven += bool(problem)
        except UsageError as error:
            print(f"fingerprints: {error}", file=sys.stderr)
            return error.exit_code
    print(f"{unproven} results are not proven")
    return 1 if unproven else 0


if __name__ == "__main__":
    sys.exit(main())
