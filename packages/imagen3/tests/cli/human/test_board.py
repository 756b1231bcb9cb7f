"""The verb `board`: ratings from a table of votes."""

import json
from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import check_one_line_error, run_verb

from imagen3.data.tables import table_text
from imagen3.human.elo import fit_ratings
from imagen3.human.votes import Vote, comparisons


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three models of known order; one rater has flags."""
    generator, rows = np.random.default_rng(0), list[Vote]()
    strength = {"alpha": 1.5, "beta": 0.5, "gamma": 0.0}
    for number in range(600):
        left, right = generator.choice(list(strength), 2, replace=False)
        chance = 1 / (1 + np.exp(strength[right] - strength[left]))
        choice = "tie" if number % 7 == 0 else "left" if generator.random() < chance else "right"
        names = (f"v{number}", "s", "overall", "mine", f"p{number % 20}", str(left), str(right))
        rows.append(Vote(*names, choice, f"r{number % 30}", flags="inattentive" if number % 30 == 7 else ""))
    (tmp_path / "votes.csv").write_text(table_text(Vote._fields, rows), encoding="utf-8")
    return tmp_path / "votes.csv"


def test_board(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    words = ("--votes", str(table), "--output", str(run), "--online-k", "16")
    assert run_verb("imagen3", "board", *words) == 0
    out = capsys.readouterr().out
    assert "overall, mine: 580 votes" in out
    assert "20 votes with flags left out" in out
    assert out.index("alpha") < out.index("beta") < out.index("gamma")
    (board,) = json.loads((run / "ratings.json").read_text()).values()
    from imagen3.human.votes import read_votes

    counted = comparisons([vote for vote in read_votes(table) if not vote.flags])
    elo = dict(zip(counted.models, fit_ratings(counted.models, counted.counts()).elo, strict=True))
    for row in board["ratings"]:
        assert row["elo"] == pytest.approx(elo[row["model"]])
        assert row["low"] < row["elo"] < row["high"]
        assert row["model"] in board["online"]
    assert board["win_shares"][0][0] is None
    assert board["win_shares"][0][1] + board["win_shares"][1][0] == pytest.approx(1)
    assert board["missing_matches"] == []
    assert "overall-mine.png" in (run / "index.html").read_text()
    assert (run / "overall-mine.png").read_bytes().startswith(b"\x89PNG")


def test_other_intervals(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for interval in ("prompts", "independent"):
        words = ("--votes", str(table), "--output", str(tmp_path / interval), "--interval", interval)
        assert run_verb("imagen3", "board", *words, "--ties", "davidson", "--keep-flagged") == 0
        out = capsys.readouterr().out
        assert f"ties 'davidson', 0.99 intervals, {interval}" in out
        assert "600 votes" in out


def test_missing_matches_are_listed(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in table.read_text().splitlines() if not ("alpha" in line and "gamma" in line)]
    table.write_text("\n".join(lines) + "\n")
    assert run_verb("imagen3", "board", "--votes", str(table), "--output", str(tmp_path / "run")) == 0
    assert "no votes yet: alpha and gamma" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--votes", "nothing.csv"), "nothing.csv is not a file"),
        (("--ties", "none"), "ties"),
        (("--resamples", "3"), "resamples is 3"),
        (("--confidence", "95"), "confidence is 95"),
        (("--prior-sd", "-1"), "prior_sd is -1"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (*words, "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "board", "--votes", str(table), *given) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def test_votes_that_give_no_board(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write_text("\n".join(table.read_text().splitlines()[:1]) + "\nv,s,overall,m,p,a,b,left,r,,,,inattentive\n")
    words = ("--votes", str(table), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "board", *words) == 2
    check_one_line_error(capsys.readouterr().err, "all 1 votes")
    assert run_verb("imagen3", "board", *words, "--keep-flagged") == 2
    check_one_line_error(capsys.readouterr().err, "a never lost to b")
    assert not (tmp_path / "run").exists()
