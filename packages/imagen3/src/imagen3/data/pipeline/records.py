"""Records of a collection, stages that keep, change or drop them with a reason, and the manifest of all decisions."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from imagen3.data.pipeline.similar import Traits


@dataclass(frozen=True, eq=False)
class Record:
    """A picture with its caption."""

    file: Path
    caption: str
    pixels: UInt8[np.ndarray, "height width 3"] | None
    """None where the file cannot be decoded, and behind the stages that look at pictures"""
    header: bytes = b""
    """the beginning of the file, with its metadata"""
    synthetic: tuple[str, ...] = ()
    """captions of captioners"""
    traits: Traits | None = None
    """what is compared with other pictures"""
    weight: float = 1.0
    """how often it is drawn in a training, relative to the mean"""
    reasons: tuple[str, ...] = ()
    """why it was dropped or changed, as stage/code"""
    dropped: bool = False


class Decision(NamedTuple):
    """What a stage finds of one record; the default keeps it as it is."""

    reason: str = ""
    drop: bool = False
    caption: str | None = None
    weight: float | None = None


KEEP = Decision()


class Stage(NamedTuple):
    """A named step; the decisions of a record may depend on all that are left, as those on duplicates do."""

    name: str
    decide: Callable[[Sequence[Record]], Iterable[Decision]]


def each(decide: Callable[[Record], Decision]) -> Callable[[Sequence[Record]], Iterable[Decision]]:
    """The decisions of a function of one record."""
    return lambda records: map(decide, records)


def run_stages(records: Sequence[Record], stages: Sequence[Stage]) -> list[Record]:
    """All records with what each stage decided; a dropped one is not seen by later stages."""
    found = list(records)
    for stage in stages:
        left = [number for number, record in enumerate(found) if not record.dropped]
        decisions = stage.decide([found[number] for number in left])
        for number, decision in zip(left, decisions, strict=True):
            record = found[number]
            found[number] = replace(
                record,
                caption=record.caption if decision.caption is None else decision.caption,
                weight=record.weight if decision.weight is None else decision.weight,
                reasons=(*record.reasons, f"{stage.name}/{decision.reason}") if decision.reason else record.reasons,
                dropped=decision.drop,
            )
    return found


def summary(records: Sequence[Record]) -> dict[str, int]:
    """How many records are kept, and how many have each reason, the most frequent first."""
    counts = Counter(reason for record in records for reason in record.reasons)
    return {
        "records": len(records),
        "kept": sum(not record.dropped for record in records),
        **dict(counts.most_common()),
    }


def manifest(records: Sequence[Record]) -> str:
    """One line of JSON for each record: its file, that of `kept_names` or null, the caption, weight and reasons."""
    lines = []
    for record, kept in zip(records, kept_names(records), strict=True):
        # What was dropped may hold what must not be kept: its caption is left out.
        texts = {"caption": record.caption, "synthetic": record.synthetic}
        shown = texts | {"weight": round(record.weight, 6)} if kept else {}
        values = {"file": str(record.file), "kept": kept and f"{kept}.png", **shown, "reasons": list(record.reasons)}
        lines.append(json.dumps(values, ensure_ascii=False) + "\n")
    return "".join(lines)


def kept_names(records: Sequence[Record]) -> list[str | None]:
    """A number for each record that is kept, as the name of its files."""
    numbers = itertools.count()
    return [None if record.dropped else f"{next(numbers):08d}" for record in records]
