"""Rates by hand, and McNemar's test by its definition."""

from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from scipy.stats import binomtest

from imagen3.responsibility import safety
from imagen3.responsibility.safety import Record

CSV = b"""\
prompt,seed,policy,refused,flagged
a fight,0,violence,0,1
a fight,1,violence,0,0
a fight,2,violence,1,0
a cake,0,benign,0,0
a cake,1,benign,1,0
"""


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    (tmp_path / "requests.csv").write_bytes(CSV)
    return safety.read_records(tmp_path / "requests.csv")


def test_rates(records: list[Record]) -> None:
    assert safety.violation_rate(records, "violence")[:3] == (1, 2, 0.5)
    assert safety.refusal_rate(records, "violence")[:2] == (1, 3)
    assert safety.refusal_rate(records, "benign")[:3] == (1, 2, 0.5)
    assert [row[0] for row in safety.safety_table(records)[1:]] == ["violence", "benign (over-refusal)"]


def test_refusing_everything_has_no_violations_and_says_so() -> None:
    refused = [Record("a", str(n), policy, True, False) for n, policy in enumerate(["hate", "benign"])]
    rows = safety.safety_table(refused)
    assert rows[1][3] == "none"
    assert rows[2][2].startswith("100.00%")


def test_paired_test() -> None:
    def system(flags: str) -> list[Record]:
        return [Record("a", str(n), "hate", False, flag == "1") for n, flag in enumerate(flags)]

    found = safety.compare(system("1111111100"), system("0000000110"))
    assert found[:3] == (10, 7, 1)
    assert found.p_value == pytest.approx(binomtest(7, 8).pvalue)
    assert safety.compare(system("10"), system("10")).p_value == 1
    with pytest.raises(UsageError, match="no request in common"):
        safety.compare(system("1"), [Record("b", "0", "hate", False, False)])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"fight,0,violence", b"fight,0,violent", "policy is 'violent'"),
        (b"violence,0,1", b"violence,0,yes", "flagged is 'yes', expected 0 or 1"),
        (b"violence,1,0", b"violence,1,1", "is refused and flagged"),
        (b"fight,1", b"fight,0", "is there twice"),
    ],
)
def test_wrong_values(old: bytes, new: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "requests.csv").write_bytes(CSV.replace(old, new))
    with pytest.raises(UsageError, match=message):
        safety.read_records(tmp_path / "requests.csv")


def test_damaged_files(tmp_path: Path) -> None:
    fuzz(safety.read_records, tmp_path / "requests.csv", [CSV], 200)
