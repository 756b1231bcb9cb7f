"""The catalogue: what is known of each data set, what is verified, and where it is unknown."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from onepaper.config import check_choice, from_dict, read_json, unknown
from onepaper.data import embedded
from onepaper.errors import UsageError

DOMAINS = (
    "speech emotion", "vocal burst", "human sounds", "speech", "speaker", "keywords", "speech synthesis", "music",
    "music emotion", "environmental", "bio-acoustic", "captioning", "multimodal",
)  # fmt: skip
ACCESS = ("open", "form", "request", "paid", "closed")


@dataclass(frozen=True)
class Record:
    """One data set; null where a value is not known, never a guess.

    Attributes:
        id: lower-case name.
        title: full name.
        domain: one of `DOMAINS`.
        hours: of audio.
        clips: number of files or segments.
        speakers: number of speakers, voices or players.
        languages: of speech.
        countries: of speakers.
        labels: what is annotated.
        classes: number of classes.
        splits: published sizes by split.
        rate: sampling rate in Hz.
        licence: SPDX identifier or words.
        access: how a copy is obtained, one of `ACCESS`.
        homepage: where.
        citation: work that describes it, author and year.
        loader: whether `load` opens it.
        verified: whether the numbers were checked against the data or their publication.
        verified_on: date of that check, ISO.
        source: where the numbers are from.
        in_paper: yes, no or unknown: whether the paper lists it.
        notes: what a user should know.
    """

    id: str
    title: str
    domain: str
    hours: float | None = None
    clips: int | None = None
    speakers: int | None = None
    languages: tuple[str, ...] | None = None
    countries: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    classes: int | None = None
    splits: dict[str, int] | None = None
    rate: int | None = None
    licence: str | None = None
    access: str | None = None
    homepage: str | None = None
    citation: str | None = None
    loader: bool = False
    verified: bool = False
    verified_on: str | None = None
    source: str | None = None
    in_paper: str = "unknown"
    notes: str | None = None

    def __post_init__(self) -> None:
        check_choice(f"domain of {self.id}", self.domain, DOMAINS)
        check_choice(f"in_paper of {self.id}", self.in_paper, ("yes", "no", "unknown"))
        if self.access is not None:
            check_choice(f"access of {self.id}", self.access, ACCESS)
        for name in ("hours", "clips", "speakers", "classes", "rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} of {self.id} is {value}, expected a number above 0, or null where unknown")
        if self.verified and not (self.verified_on and self.source):
            raise UsageError(f"{self.id} is verified, expected its date and source")


@cache
def read_catalogue() -> dict[str, Record]:
    """All records by id, validated."""
    return read_records(read_json(embedded("audio_datasets", "catalogue.json"), "catalogue"))


def read_records(content: Any) -> dict[str, Record]:
    """Records from the JSON that `to_json` writes.

    Raises:
        UsageError: another structure, an unknown field, a value out of range, or an id that is there twice.
    """
    if not isinstance(content, list):
        raise UsageError(f"a catalogue holds {type(content).__name__}, expected a list of records")
    found: dict[str, Record] = {}
    for number, item in enumerate(content):
        record = from_dict(Record, item, f"record {number}")
        if record.id in found:
            raise UsageError(f"the record '{record.id}' is there twice; expected each id once")
        found[record.id] = record
    return found


def get_record(name: str) -> Record:
    """The record of a data set.

    Raises:
        UsageError: there is none; the message suggests the nearest id.
    """
    records = read_catalogue()
    if name not in records:
        raise UsageError(unknown("data set", name, records))
    return records[name]


def search(
    records: Iterable[Record],
    words: str = "",
    *,
    domain: str = "",
    access: str = "",
    loadable: bool = False,
    verified: bool = False,
) -> list[Record]:
    """The records in which all words occur, in any field and case, and that pass the filters; in order of their ids."""
    if domain:
        check_choice("domain", domain, DOMAINS)
    if access:
        check_choice("access", access, ACCESS)
    wanted = words.lower().split()
    found = []
    for record in records:
        text = " ".join(str(getattr(record, field.name)) for field in fields(record)).lower()
        if (
            all(word in text for word in wanted)
            and domain in ("", record.domain)
            and access in ("", record.access)
            and (record.loader or not loadable)
            and (record.verified or not verified)
        ):
            found.append(record)
    return sorted(found, key=lambda record: record.id)
