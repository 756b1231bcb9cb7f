"""Records are validated, and unknown values are null."""

import json

import pytest
from onepaper.errors import UsageError

from audio_datasets.catalogue.exports import to_json
from audio_datasets.catalogue.records import Record, get_record, read_catalogue, read_records, search


def test_catalogue() -> None:
    records = read_catalogue()
    assert len(records) > 50
    assert {name for name, record in records.items() if record.in_paper == "yes"} == {
        "hume-prosody", "hume-vocalburst", "modulate-sonata", "modulate-stream",
    }  # fmt: skip
    assert get_record("hume-vocalburst").splits == {"train": 19_990, "validation": 19_396, "test": 19_815}
    assert get_record("iemocap").licence is None
    assert not any(record.verified for record in records.values() if record.source == "publication, from memory")


def test_search() -> None:
    records = read_catalogue().values()
    assert [record.id for record in search(records, "vocal BURST crowd")] == []
    assert [record.id for record in search(records, "laukka")] == ["venec"]
    assert {record.id for record in search(records, domain="vocal burst", access="form")} == {"hume-vocalburst"}
    assert all(record.loader for record in search(records, loadable=True))
    examples = {"hedgewars-voices", "openarena-players", "asterisk-prompts"}
    assert {record.id for record in search(records, verified=True)} == examples


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"domain": "speach"}, "did you mean 'speech'"),
        ({"hours": -1.0}, "hours of x is -1"),
        ({"clips": "many"}, "expected int"),
        ({"size": 3}, "unknown field 'size'"),
        ({"verified": True}, "expected its date and source"),
        ({"access": "free"}, "unknown access of x"),
    ],
)
def test_wrong_records(change: dict, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        read_records([{"id": "x", "title": "X", "domain": "speech"} | change])


def test_wrong_catalogues() -> None:
    row = {"id": "x", "title": "X", "domain": "speech"}
    with pytest.raises(UsageError, match="'x' is there twice"):
        read_records([row, row])
    with pytest.raises(UsageError, match="expected a list"):
        read_records({})
    with pytest.raises(UsageError, match="did you mean 'hume-prosody'"):
        get_record("hume-prosodi")


def test_round_trip() -> None:
    records = read_catalogue()
    assert read_records(json.loads(to_json(records.values()))) == records
    assert isinstance(records["esd"], Record)
