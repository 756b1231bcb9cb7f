"""The catalogue as JSON, CSV and Croissant (MLCommons), for other programs."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from onepaper.config import to_dict

from audio_datasets.catalogue.records import Record


def to_json(records: Iterable[Record]) -> str:
    """A list of objects; unknown values are null. `read_records` reads it back."""
    return json.dumps([to_dict(record) for record in records], indent=1, ensure_ascii=False) + "\n"


def to_csv(records: Iterable[Record]) -> str:
    """One row a record; lists are joined by semicolons, unknown values are empty."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([field.name for field in fields(Record)])
    for record in records:
        writer.writerow([_cell(value) for value in to_dict(record).values()])
    return content.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}={count}" for name, count in value.items())
    return "" if value is None else str(value)


def to_croissant(record: Record) -> dict[str, Any]:
    """Metadata of one data set in Croissant 1.1, without a distribution: no data set is downloaded.

    Unknown properties are left out, as the vocabulary has no null.
    """
    description = record.notes or record.title
    values: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": record.id,
        "description": description,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": record.licence,
        "url": record.homepage,
        "citeAs": record.citation,
        "inLanguage": list(record.languages) if record.languages else None,
        "keywords": [record.domain, *(record.labels or ())],
    }
    return {name: value for name, value in values.items() if value is not None}


# The context of the Croissant 1.1 specification.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
