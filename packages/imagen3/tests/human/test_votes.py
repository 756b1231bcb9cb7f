"""Tables of votes: written, read, refused, counted."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from imagen3.data.tables import table_text
from imagen3.human.votes import Vote, comparisons, read_votes, win_shares

VOTE = Vote("v1", "s1", "overall", "mine", "p1", "a", "b", "left", "r1", "812", "2024-08-13T00:00:00Z", "1", "")


def table(path: Path, *rows: Vote) -> Path:
    path.write_text(table_text(Vote._fields, rows), encoding="utf-8")
    return path


def test_round_trip(tmp_path: Path) -> None:
    odd = VOTE._replace(vote_id="v2", prompt_id='a, "quoted"\nprompt', model_left="ü", choice="tie")
    assert read_votes(table(tmp_path / "votes.csv", VOTE, odd)) == [VOTE, odd]


def test_columns_may_be_in_another_order_and_optional_ones_missing(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "\ufeffrater_id,choice,model_right,model_left,prompt_id,prompt_set,aspect,study_id,vote_id\n"
        "r1,left,b,a,p1,mine,overall,s1,v1\n\n"
    )
    assert read_votes(path) == [VOTE._replace(t_ms="", timestamp="", visit="")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "holds no rows"),
        ([VOTE, VOTE], "line 3: vote_id 'v1' is there twice"),
        ([VOTE._replace(choice="up")], "unknown choice in .*line 2:"),
        ([VOTE._replace(aspect="beauty")], "unknown aspect in .*line 2:"),
        ([VOTE._replace(model_right="a")], "'a' is compared with itself"),
        ([VOTE._replace(rater_id=" ")], "rater_id is empty"),
        ([VOTE._replace(model_left="c")], "unknown model in .*line 2: 'c'"),
    ],
)
def test_wrong_votes(rows: list[Vote], expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=expected):
        read_votes(table(tmp_path / "votes.csv", *rows), models=("a", "b"))


def test_counts_and_shares() -> None:
    right = VOTE._replace(model_left="b", model_right="a")
    rows = [VOTE, VOTE._replace(choice="right"), right._replace(choice="right"), right._replace(choice="tie")]
    found = comparisons(rows)
    assert found.models == ("a", "b")
    assert found.counts().tolist() == [[2.0, 1.0, 1.0]]  # a wins on the left and on the right, loses once, ties once
    np.testing.assert_allclose(win_shares(2, found.counts()), [[np.nan, 0.625], [0.375, np.nan]])
    swapped = [
        vote._replace(
            model_left=vote.model_right,
            model_right=vote.model_left,
            choice={"left": "right", "right": "left", "tie": "tie"}[vote.choice],
        )
        for vote in rows
    ]
    assert comparisons(swapped).counts().tolist() == found.counts().tolist()
    with pytest.raises(UsageError, match="no votes"):
        comparisons([])
