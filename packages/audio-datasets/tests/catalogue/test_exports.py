"""Exports are read back by other programs."""

import csv
import io

import mlcroissant

from audio_datasets.catalogue.exports import to_croissant, to_csv
from audio_datasets.catalogue.records import read_catalogue


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(read_catalogue().values()))))
    assert len(rows) == len(read_catalogue())
    found = {row["id"]: row for row in rows}["hume-vocalburst"]
    assert found["clips"] == "59201"
    assert found["countries"] == "China; South Africa; United States; Venezuela"
    assert found["splits"] == "train=19990; validation=19396; test=19815"
    assert found["licence"] == ""


def test_croissant() -> None:
    """Every record is valid, with what is known of it and nothing else."""
    for name, record in read_catalogue().items():
        dataset = mlcroissant.Dataset(jsonld=to_croissant(record))
        assert not dataset.metadata.issues.errors
        assert dataset.metadata.name == name
        assert dataset.metadata.license == ([record.licence] if record.licence else None)
