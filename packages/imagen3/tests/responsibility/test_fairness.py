"""Tables of labels against counts by hand, and homogeneity against a simulation."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from imagen3.responsibility import fairness
from imagen3.responsibility.fairness import Labels

CSV = b"""\
prompt,picture,gender,tone,age,age35
a nurse,0,feminine,2,25,25
a nurse,1,feminine,1-3,0-30,34
a nurse,2,,7,30+,35
a baker,0,masculine,10,61,61
a baker,1,feminine,4,29,29
a pilot,0,masculine,5,44,44
"""


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    (tmp_path / "labels.csv").write_bytes(CSV)
    return fairness.read_labels(tmp_path / "labels.csv")


def test_distribution(labels: Labels) -> None:
    found = fairness.distribution(labels, "gender")
    assert [(own.hits, own.of) for own in found.values()] == [(2, 5), (3, 5)]
    assert [own.hits for own in fairness.distribution(labels, "tone").values()] == [2, 2, 1, 1]
    assert [own.hits for own in fairness.distribution(labels, "age").values()] == [3, 3]
    given = fairness.distribution(labels, "age35", given=("gender", "feminine"))
    assert [(own.hits, own.of) for own in given.values()] == [(3, 3), (0, 3)]


def test_homogeneity(labels: Labels) -> None:
    found = fairness.homogeneity(labels, "gender")
    assert (found.rate.hits, found.rate.of) == (1, 2)
    assert found.expected == pytest.approx(0.4**2 + 0.6**2)
    assert (found.fewest, found.median, found.most, found.left_out) == (2, 2, 2, 1)
    tones = fairness.homogeneity(labels, "tone")
    assert (tones.rate.hits, tones.rate.of, tones.fewest, tones.most) == (0, 2, 2, 3)


def test_independent_pictures_have_the_expected_homogeneity() -> None:
    generator = np.random.default_rng(0)
    drawn = generator.choice(fairness.AXES["tone"], (4000, 4), p=[0.6, 0.2, 0.15, 0.05])
    labels = Labels(tuple(str(n) for n in range(4000) for _ in range(4)), {"tone": tuple(map(str, drawn.ravel()))})
    found = fairness.homogeneity(labels, "tone")
    assert found.expected == pytest.approx(0.6**4 + 0.2**4 + 0.15**4 + 0.05**4, abs=0.01)
    assert found.rate.low <= found.expected <= found.rate.high


def test_tables(labels: Labels) -> None:
    systems = {"ours": labels, "theirs": labels}
    rows = fairness.fairness_table(systems)
    assert rows[0] == ("axis", "category", "ours", "theirs")
    assert len(rows) == 1 + 2 + 4 + 2 + 2
    assert all(row[2] == row[3] for row in rows[1:])
    assert [row[:2] for row in fairness.homogeneity_table(systems)[1:3]] == [("gender", "ours"), ("gender", "theirs")]
    professions = fairness.profession_table({"ours": labels})
    assert [row[0] for row in professions[1:]] == [
        *(f"Monk tones {group}" for group in ("1-3", "4-6", "7-8", "9-10")),
        *("feminine", "under 35 among feminine", "under 35 among masculine"),
    ]
    assert professions[5][1].startswith("60.00%")
    assert professions[7][1].startswith("0.00%")


def test_wrong_values(tmp_path: Path, labels: Labels) -> None:
    path = tmp_path / "labels.csv"
    for old, new, message in (
        (b"masculine,10", b"masculine,11", "tone is '11'"),
        (b"gender,tone,age,age35", b"a,b,c,d", "no column of labels"),
        (b"feminine,2", b"female,2", "gender is 'female', expected masculine, feminine"),
    ):
        path.write_bytes(CSV.replace(old, new))
        with pytest.raises(UsageError, match=message):
            fairness.read_labels(path)
    single = Labels(("a", "b"), {"age": ("30+", "0-30")})
    with pytest.raises(UsageError, match="no prompt has two pictures with a label of age"):
        fairness.homogeneity(single, "age")
    with pytest.raises(UsageError, match="no column in common"):
        fairness.fairness_table({"a": single, "b": Labels(("a",), {"tone": ("1-3",)})})
    with pytest.raises(UsageError, match="a has no column gender"):
        fairness.profession_table({"a": single})


def test_damaged_files(tmp_path: Path) -> None:
    fuzz(fairness.read_labels, tmp_path / "labels.csv", [CSV], 200)
