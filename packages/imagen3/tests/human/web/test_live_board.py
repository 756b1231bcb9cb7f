"""Ratings while a study goes on."""

from imagen3.human.votes import Vote
from imagen3.human.web.live_board import live_boards


def votes(aspect: str, wins: int, losses: int, flags: str = "") -> list[Vote]:
    choices = ["left"] * wins + ["right"] * losses
    return [
        Vote(f"{aspect}{flags}{index}", "s", aspect, "set", "p", "a", "b", choice, "r1", flags=flags)
        for index, choice in enumerate(choices)
    ]


def test_boards() -> None:
    flagged = votes("overall", 0, 9, "inattentive")
    first, second = live_boards([*votes("overall", 3, 1), *flagged, *votes("appeal", 2, 0)])
    assert [row[0] for row in first.rows] == ["a", "b"]
    assert (first.votes, first.left_out, first.problem) == (13, 9, "")
    assert "a never lost to b" in second.problem
    assert live_boards([]) == []
