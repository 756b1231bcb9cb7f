"""The cache of fingerprints: same values, no parsing where nothing changed, and no harm where it is damaged."""

import ast
import json
from pathlib import Path

import platformdirs
import pytest

from onepaper import fingerprint
from onepaper.claims import Above, Claim
from onepaper.fingerprint import cache, claim_fingerprint, claim_fingerprints, sources

CLAIMS = tuple(
    Claim(
        id=f"C{number}",
        place="section 1",
        statement="It holds.",
        paper="-",
        measure=f"pkg.claims:{name}",
        rule=Above("x", 0.5),
        tier="quick",
        assets=("w.bin",),
    )
    for number, name in enumerate(("one", "two"))
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "pkg"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "claims.py").write_text(
        "N = 3\ndef one(context):\n    return N\ndef two(context):\n    return one(context) + 1\n"
    )
    (folder / "w.bin").write_bytes(b"123")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return folder


@pytest.fixture
def parsed(monkeypatch):
    """The sources that were parsed since, in this process."""
    texts: list[str] = []
    parse = ast.parse

    def counted(text, *arguments, **options):
        texts.append(text)
        return parse(text, *arguments, **options)

    monkeypatch.setattr(ast, "parse", counted)
    sources._CACHE.clear()
    return texts


def expected(package):
    return {claim.id: claim_fingerprint(claim, package) for claim in CLAIMS}


def cache_file(package):
    (path,) = (package.parent / "cache").rglob("pkg-*.json")
    return path


def test_each_file_is_parsed_once_and_not_again_for_the_same_sources(package, parsed):
    first = claim_fingerprints(CLAIMS, package)
    assert len(parsed) == len(set(parsed))
    assert (package / "claims.py").read_text() in parsed
    parsed.clear()
    sources._CACHE.clear()
    assert claim_fingerprints(CLAIMS, package) == first
    assert parsed == []
    assert first == expected(package)


@pytest.mark.parametrize(
    ("name", "content"),
    [("claims.py", "N = 4\ndef one(context):\n    return N\ndef two(context):\n    return N\n"), ("w.bin", "1234")],
)
def test_changed_files_count_at_once(package, name, content):
    before = claim_fingerprints(CLAIMS, package)
    (package / name).write_text(content)
    after = claim_fingerprints(CLAIMS, package)
    assert after == expected(package)
    assert all(after[claim.id] != before[claim.id] for claim in CLAIMS)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b"{}", b'{"sources": 1}', b"[" * 100_000, b'{"fingerprints": 3}']
)
def test_a_damaged_cache_counts_as_absent(package, content):
    claim_fingerprints(CLAIMS, package)
    cache_file(package).write_bytes(content)
    assert claim_fingerprints(CLAIMS, package) == expected(package)
    assert json.loads(cache_file(package).read_text())["fingerprints"]


def test_a_flipped_digit_is_noticed(package):
    claim_fingerprints(CLAIMS, package)
    values = json.loads(cache_file(package).read_text())
    values["fingerprints"] = dict.fromkeys(values["fingerprints"], "0" * 64)
    cache_file(package).write_text(json.dumps(values))
    assert claim_fingerprints(CLAIMS, package) == expected(package)


def test_nothing_is_kept_where_nothing_can_be_written(package, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "file" / name)
    assert claim_fingerprints(CLAIMS, package) == expected(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~") / name)  # no home folder is known
    assert claim_fingerprints(CLAIMS, package) == expected(package)
    assert not (tmp_path / "~").exists()


def test_another_python_does_not_share_the_file(package, monkeypatch):
    claim_fingerprints(CLAIMS, package)
    folders = {"pkg": package, sources.SHARED: fingerprint.SHARED_FOLDER}
    assert cache.FingerprintCache(folders).get(next(iter(json.loads(cache_file(package).read_text())["fingerprints"])))
    monkeypatch.setattr(cache.sys, "version_info", (3, 99))
    assert not cache.FingerprintCache(folders)._kept
