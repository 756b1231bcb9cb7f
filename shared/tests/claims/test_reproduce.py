import dataclasses
import json

import pytest

from onepaper.claims import Below, ClaimsOptions
from onepaper.claims.reproduce import ReproduceOptions, print_claims, reproduce
from onepaper.claims.results import read_results
from onepaper.errors import OnePaperError, UsageError

from . import toy_ledger

BROKEN = toy_ledger.claim(6, Below("x", 1), "broken")
STOPPED = toy_ledger.claim(7, Below("x", 1), "stopped")


@pytest.fixture
def paper(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return toy_ledger.make(tmp_path, monkeypatch)


def run(paper, tmp_path, **options):
    return reproduce(paper, ReproduceOptions(output=tmp_path / "run", **{"jobs": 1} | options))


def test_the_quick_tier(paper, tmp_path, capsys):
    assert run(paper, tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed.rstrip().splitlines()[-1] == f"report: {(tmp_path / 'run' / 'report.html').resolve()}"
    assert "toy-ledger, measured now: 2 reproduced\n" in printed
    assert "toy-ledger, not measured now: 1 paper scale, 1 not testable, 1 not run" in printed
    assert "trained" not in paper.calls
    assert sorted(path.stem for path in (tmp_path / "run" / "results").iterdir()) == ["C1", "C2"]
    assert read_results(paper) == {}
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count('<details class="claim') == 5


def test_recording_and_what_a_later_run_shows(paper, tmp_path, capsys):
    assert run(paper, tmp_path, retrain=True, record=True) == 0
    assert read_results(paper)["C3"].verdict == "not reproduced"
    capsys.readouterr()
    assert run(paper, tmp_path) == 0
    printed = capsys.readouterr().out
    assert "recorded" in printed
    assert "not reproduced" in printed
    assert "recorded" in (tmp_path / "run" / "report.html").read_text()


def test_named_claims_run_whatever_their_tier(paper, tmp_path):
    assert run(paper, tmp_path, claims=("C3",)) == 0
    assert paper.calls == ["trained"]
    with pytest.raises(UsageError, match="unknown claim 'C33': did you mean 'C3'"):
        run(paper, tmp_path, claims=("C33",))


def test_a_second_run_takes_finished_arms(paper, tmp_path, capsys):
    run(paper, tmp_path, claims=("C1",))
    assert paper.calls == ["accuracy", 0, 1, 2]
    capsys.readouterr()
    run(paper, tmp_path, claims=("C1",), seeds=(0, 1, 2, 3))
    assert paper.calls == ["accuracy", 0, 1, 2, "accuracy", 3]
    assert "3 arms came from files" in capsys.readouterr().out


def test_a_failing_claim_does_not_hide_the_others(paper, tmp_path, capsys):
    paper.ledger = (BROKEN, *paper.ledger)
    assert run(paper, tmp_path, record=True) == 1
    printed = capsys.readouterr().out
    assert "C6 failed: ValueError: shapes [3] and <script>x</script> do not match" in printed
    assert "2 reproduced" in printed
    assert "line" in (tmp_path / "run" / "errors" / "C6.txt").read_text()
    assert set(read_results(paper)) == {"C1", "C2"}
    assert "<script>" not in (tmp_path / "run" / "report.html").read_text()
    paper.ledger = (dataclasses.replace(paper.ledger[1], id="C6"),)
    assert run(paper, tmp_path) == 0
    assert not (tmp_path / "run" / "errors" / "C6.txt").exists()


def test_a_missing_measurement_fails_the_claim_by_name(paper, tmp_path, capsys):
    paper.ledger = (dataclasses.replace(paper.ledger[0], rule=Below("acuracy", 1)),)
    assert run(paper, tmp_path) == 1
    assert "unknown measurement 'acuracy'" in capsys.readouterr().out


def test_an_interrupt_keeps_what_is_done(paper, tmp_path, capsys):
    paper.ledger = (paper.ledger[0], STOPPED, paper.ledger[1])
    assert run(paper, tmp_path, record=True) == 130
    printed = capsys.readouterr().out
    assert "interrupted after 1 of 3 claims; the same command takes the finished arms" in printed
    assert set(read_results(paper)) == {"C1"}
    assert (tmp_path / "run" / "report.html").exists()
    # The lock is free again.
    paper.ledger = paper.ledger[:1]
    assert run(paper, tmp_path) == 0


def test_two_seeds_decide_nothing(paper, tmp_path):
    run(paper, tmp_path, claims=("C1",), seeds=(0, 1), record=True)
    result = read_results(paper)["C1"]
    assert result.verdict == "inconclusive"
    assert "a verdict needs 3 seeds" in result.reason
    with pytest.raises(UsageError, match="seeds is -1"):
        ReproduceOptions(seeds=(-1,))
    with pytest.raises(UsageError, match="expected each of them once"):
        ReproduceOptions(seeds=(1, 1))


def test_dry_run_touches_nothing(paper, tmp_path, capsys):
    assert run(paper, tmp_path, full=True, dry_run=True) == 0
    assert "would measure 2 of 5 claims" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_recording_needs_a_checkout(paper, tmp_path):
    paper.results_folder = lambda: None
    with pytest.raises(OnePaperError, match="record from a checkout"):
        run(paper, tmp_path, record=True)
    paper.results_folder = lambda: paper.package_folder() / "results"
    with pytest.raises(OnePaperError, match="record from a checkout"):
        run(paper, tmp_path, record=True)


def test_the_default_folder(paper, tmp_path):
    reproduce(paper, ReproduceOptions(claims=("C1",), jobs=1))
    assert (tmp_path / "runs" / "toy-ledger" / "reproduce" / "report.html").exists()


def test_claims_as_text_and_json(paper, tmp_path, capsys):
    run(paper, tmp_path, claims=("C1",), record=True)
    capsys.readouterr()
    assert print_claims(paper, ClaimsOptions()) == 0
    text = capsys.readouterr().out
    assert "C1  statement 1 | of <all>  §2" in text
    assert "rule      reproduced if accuracy is below 0.75" in text
    assert "verdict   reproduced" in text
    assert print_claims(paper, ClaimsOptions(json=True)) == 0
    first, second, *_ = json.loads(capsys.readouterr().out)
    assert (first["id"], first["verdict"], first["status"]) == ("C1", "reproduced", "current")
    assert first["result"]["measured"][0]["mean"] == pytest.approx(0.64)
    assert (second["verdict"], second["result"]) == ("not run", None)


def test_verdicts_are_printed_as_they_come(paper, tmp_path, capsys):
    run(paper, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "C1    reproduced      accuracy of 0.64"
    assert lines[1].startswith("C2    reproduced")


def test_arms_of_other_runs_are_merged(paper, tmp_path, capsys):
    for seed in (0, 1, 2):
        reproduce(paper, ReproduceOptions(claims=("C1",), seeds=(seed,), output=tmp_path / f"part{seed}", jobs=1))
    assert paper.calls == ["accuracy", 0, "accuracy", 1, "accuracy", 2]
    parts = tuple(tmp_path / f"part{seed}" for seed in (0, 1, 2))
    assert run(paper, tmp_path, claims=("C1",), merge=parts, record=True) == 0
    assert paper.calls[6:] == ["accuracy"]
    assert read_results(paper)["C1"].measured[0].seeds == (0, 1, 2)
    capsys.readouterr()
    assert reproduce(paper, ReproduceOptions(claims=("C1",), merge=parts[:2], output=tmp_path / "two", jobs=1)) == 1
    assert "arm 'net' of seed 2 is in none of the merged runs" in capsys.readouterr().out
    assert paper.calls[7:] == ["accuracy"]
    with pytest.raises(UsageError, match="nothing has no arms, expected the output folder"):
        run(paper, tmp_path, merge=(tmp_path / "nothing",))
