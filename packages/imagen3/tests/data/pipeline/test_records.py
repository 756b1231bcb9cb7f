"""Stages see what is left, and the manifest has every record once."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from imagen3.data.pipeline.records import Decision, Record, Stage, each, kept_names, manifest, run_stages, summary


def test_stages_in_order() -> None:
    records = [Record(Path(f"{letter}.png"), letter, None) for letter in "abcd"]
    seen = []

    def count(left: Sequence[Record]) -> Iterator[Decision]:
        seen.extend(record.caption for record in left)
        return (Decision("half", weight=0.5) for _ in left)

    stages = [
        Stage("first", each(lambda own: Decision("is b", drop=True) if own.caption == "b" else Decision())),
        Stage("second", each(lambda own: Decision("renamed", caption="z") if own.caption == "c" else Decision())),
        Stage("third", count),
    ]
    found = run_stages(records, stages)
    assert seen == ["a", "z", "d"]
    assert [record.reasons for record in found] == [
        ("third/half",),
        ("first/is b",),
        ("second/renamed", "third/half"),
        ("third/half",),
    ]
    assert summary(found) == {"records": 4, "kept": 3, "third/half": 3, "first/is b": 1, "second/renamed": 1}
    assert kept_names(found) == ["00000000", None, "00000001", "00000002"]
    lines = [json.loads(line) for line in manifest(found).splitlines()]
    assert lines[1] == {"file": "b.png", "kept": None, "reasons": ["first/is b"]}
    assert lines[2] == {
        "file": "c.png", "kept": "00000001.png", "caption": "z", "synthetic": [], "weight": 0.5,
        "reasons": ["second/renamed", "third/half"],
    }  # fmt: skip
    assert records[2].caption == "c"
