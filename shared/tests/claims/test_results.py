import dataclasses
import json

import jsonschema
import pytest

from onepaper.claims import Below
from onepaper.claims.results import (
    SCHEMA,
    MeasuredValue,
    Result,
    assert_rules_match,
    count_verdicts,
    read_result,
    read_results,
    recorded_outcomes,
    result_status,
    write_result,
)
from onepaper.config import to_dict
from onepaper.errors import UsageError
from onepaper.fingerprint import claim_fingerprint

from . import toy_ledger
from .toy_ledger import record


@pytest.fixture
def paper(tmp_path, monkeypatch):
    return toy_ledger.make(tmp_path, monkeypatch)


def test_a_result_survives_its_file_and_fits_the_schema(paper):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {f.name for f in dataclasses.fields(Result)}
    assert set(schema["properties"]) - set(schema["required"]) == {
        "seeds",
        "device",
        "artifacts",
        "peak_mib",
        "sha256",
    }, "absent before"
    for claim in paper.ledger[:3]:
        path = record(paper, claim)
        jsonschema.validate(json.loads(path.read_text()), schema)
    result = read_results(paper)["C1"]
    assert result.verdict == "reproduced"
    assert result.measured == (
        MeasuredValue("accuracy", 0.64, pytest.approx(0.6152, abs=1e-4), pytest.approx(0.6648, abs=1e-4), (0, 1, 2), "",
                      "seeds", 3),
    )  # fmt: skip
    assert result.measured[0].text == "0.640 [0.615, 0.665]"
    assert result.measured[0].short == "0.640"
    assert result.rule.data == {"rule": "Below", "name": "accuracy", "bound": 0.75}
    measured = "error <i> 1e-07 nats (exact); e 2.3 [1.0, 4.0] (bootstrap over 3 examples of one run)"
    assert read_results(paper)["C2"].headline == measured


def test_what_is_no_number_is_null(paper):
    claim = paper.ledger[2]
    path = record(paper, dataclasses.replace(claim, measure="toy_ledger_package.claims:trained"))
    values = json.loads(path.read_text())
    result = dataclasses.replace(
        read_result(path), measured=(MeasuredValue("loss", None, None, None, (0,), "", "seeds", 1),)
    )
    write_result(path.parent, result)
    assert values["measured"][0]["mean"] == 2.0
    assert read_result(path).measured[0].text == "not a number"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "proved"}, r"\$.verdict 'proved' is not one of"),
        ({"tier": 3}, r"\$.tier"),
        ({"more": 1}, "'more' was unexpected"),
        ({"code_hash": "abc"}, r"\$.code_hash"),
        ({"id": "C9"}, "holds claim C9, expected C1"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(paper, change, message):
    path = record(paper, paper.ledger[0])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=message) as caught:
        read_results(paper)
    assert str(path) in str(caught.value)


def test_a_wrong_result_is_not_written(paper):
    result = dataclasses.replace(read_result(record(paper, paper.ledger[0])), verdict="paper scale")
    before = (paper.results_folder() / "C1.json").read_text()
    with pytest.raises(UsageError, match="verdict"):
        write_result(paper.results_folder(), result)
    assert (paper.results_folder() / "C1.json").read_text() == before


def test_stale_and_rule_changed(paper):
    claim = paper.ledger[0]
    result = read_result(record(paper, claim))
    assert result_status(claim, result, paper.package_folder()) == "current"
    assert_rules_match(paper)
    code = paper.package_folder() / "claims.py"
    code.write_text(code.read_text().replace("0.63 +", "0.62 +"))
    assert result_status(claim, result, paper.package_folder()) == "stale"
    assert_rules_match(paper)  # stale is shown, not failed
    paper.ledger = (dataclasses.replace(claim, rule=Below("accuracy", 0.9)),)
    assert result_status(paper.ledger[0], result, paper.package_folder()) == "rule changed"
    with pytest.raises(AssertionError, match=r"rule of C1 changed .* below 0.75', it is .* below 0.9'"):
        assert_rules_match(paper)
    paper.ledger = ()
    with pytest.raises(AssertionError, match="has no claim C1"):
        assert_rules_match(paper)


def test_an_asset_counts(paper):
    (paper.package_folder() / "weights.bin").write_bytes(b"1")
    claim = dataclasses.replace(paper.ledger[0], assets=("weights.bin",))
    code_hash = claim_fingerprint(claim, paper.package_folder())
    result = dataclasses.replace(read_result(record(paper, claim)), code_hash=code_hash)
    assert result_status(claim, result, paper.package_folder()) == "current"
    (paper.package_folder() / "weights.bin").write_bytes(b"2")
    assert result_status(claim, result, paper.package_folder()) == "stale"


def test_outcomes_without_and_with_results(paper):
    assert [outcome.verdict for outcome in recorded_outcomes(paper)] == [
        "not run", "not run", "not run", "paper scale", "not testable",
    ]  # fmt: skip
    record(paper, paper.ledger[0])
    outcomes = recorded_outcomes(paper)
    assert outcomes[0].state == "recorded"
    assert outcomes[0].headline == "accuracy of 0.64"
    assert outcomes[3].headline == "torchrun train --preset paper"
    assert count_verdicts(outcomes) == {"reproduced": 1, "paper scale": 1, "not testable": 1, "not run": 2}
    paper.results_folder = lambda: None
    assert read_results(paper) == {}


def test_to_dict_is_what_the_file_holds(paper):
    path = record(paper, paper.ledger[0])
    assert to_dict(read_result(path)) == json.loads(path.read_text())


def test_an_altered_result_is_refused(paper):
    path = record(paper, paper.ledger[0])
    text = path.read_text()
    assert '"mean": 0.64,' in text
    path.write_text(text.replace('"mean": 0.64,', '"mean": 0.65,'))
    with pytest.raises(UsageError, match="was altered: its SHA-256 differs"):
        read_result(path)
    path.write_text(text.replace('"mean": 0.64,', '"mean": NaN,'))
    with pytest.raises(UsageError, match="NaN is no number of JSON"):
        read_result(path)
    # Results of earlier versions have no digest.
    values = json.loads(text)
    del values["sha256"]
    path.write_text(json.dumps(values))
    assert read_result(path).verdict == "reproduced"


def test_a_summary_of_many_quantities_names_those_of_the_rule(paper):
    result = read_result(record(paper, paper.ledger[0]))
    assert result.summary == result.headline

    def of(names, headline=""):
        values = tuple(dataclasses.replace(result.measured[0], name=name) for name in names)
        return dataclasses.replace(result, measured=values, headline=headline or "; ".join(names))

    assert of(["accuracy", "b", "c", "d"]).summary == "accuracy; b; c; d"
    assert of(["accuracy", "b", "c", "d", "e"]).summary == "accuracy 0.640 [0.615, 0.665] (3 seeds)"
    assert of(["a", "b", "c", "d", "e"]).summary == "a; b; c; d; e"
    assert of(["accuracy", "b", "c", "d", "e"], "in words").summary == "in words"
