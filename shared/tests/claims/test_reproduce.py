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
    assert "toy-ledger, without a measurement: 1 paper scale, 1 not testable, 1 not run" in printed
    assert "(2 of 5 claims, " in printed
    assert "statement 3" not in printed, "the table has no claim that was not measured"
    assert "trained" not in paper.calls
    assert sorted(path.stem for path in (tmp_path / "run" / "results").glob("*.json")) == ["C1", "C2"]
    assert read_results(paper) == {}
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count('<details class="claim') == 5


def test_recording_and_what_a_later_run_shows(paper, tmp_path, capsys):
    assert run(paper, tmp_path, retrain=True, record=True) == 0
    assert read_results(paper)["C3"].verdict == "not reproduced"
    capsys.readouterr()
    assert run(paper, tmp_path) == 0
    printed = capsys.readouterr().out
    assert "recorded before, not measured now: 1 not reproduced" in printed
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
    assert "interrupted after 1 of 3 claims; the same command takes the finished claims and arms" in printed
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


def test_a_finished_claim_is_not_measured_again(paper, tmp_path, capsys):
    run(paper, tmp_path)
    capsys.readouterr()
    calls = list(paper.calls)
    assert run(paper, tmp_path, full=True, record=True) == 0
    assert paper.calls == calls
    printed = capsys.readouterr().out
    assert f"2 of 2 claims are finished in {tmp_path / 'run'}" in printed
    assert "(C1, C2); remove" in printed
    assert "toy-ledger, finished before in this folder: 2 reproduced" in printed
    assert "measured now:" not in printed
    page = (tmp_path / "run" / "report.html").read_text()
    assert "2 claims finished before in this folder" in page
    assert 'aria-label="A cloud"' in page
    assert "A cloud" in str(read_results(paper)["C2"].artifacts)
    assert sorted(path.name for path in (tmp_path / "results" / "figures").iterdir()) == [
        "C2-1.png", "C2-2.png", "C2-3.png", "C2-4.wav",
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["seeds", "device", "code", "rule", "versions", "damaged"])
def test_what_has_changed_is_measured_again(paper, tmp_path, monkeypatch, change):
    run(paper, tmp_path, claims=("C1",))
    options = {"seeds": {"seeds": (0, 1, 2, 3)}, "device": {"device": "cpu"}}.get(change, {})
    result = tmp_path / "run" / "results" / "C1.json"
    if change == "code":
        code = paper.package_folder() / "claims.py"
        code.write_text(code.read_text().replace("0.63 +", "0.62 +"))
    elif change == "rule":
        paper.ledger = (dataclasses.replace(paper.ledger[0], rule=Below("accuracy", 0.7)),)
    elif change == "versions":
        result.write_text(result.read_text().replace('"numpy": "', '"numpy": "0'))
    elif change == "damaged":
        result.write_text(result.read_text()[:-10])
    before = paper.calls.count("accuracy")
    run(paper, tmp_path, claims=("C1",), **options)
    assert paper.calls.count("accuracy") == before + 1


def test_after_an_interrupt_the_same_command_goes_on(paper, tmp_path, capsys):
    paper.ledger = (paper.ledger[0], STOPPED, paper.ledger[1])
    assert run(paper, tmp_path) == 130
    paper.ledger = (paper.ledger[0], paper.ledger[2])
    capsys.readouterr()
    assert run(paper, tmp_path, record=True) == 0
    assert paper.calls == ["accuracy", 0, 1, 2]
    assert "1 of 2 claims are finished" in capsys.readouterr().out
    assert set(read_results(paper)) == {"C1", "C2"}
