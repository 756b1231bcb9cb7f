"""How people in pictures are distributed over perceived attributes (paper, section 4.4 and tables 3 and 4).

The labels come from a file: people, or a classifier of yours. No classifier of people ships with the package. Labels
are perceived attributes, not identities; an empty label is one that could not be given with confidence.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onepaper.config import shortened
from onepaper.errors import UsageError

from imagen3.data.tables import read_table
from imagen3.responsibility.rates import Rate, rate

AXES = {
    "gender": ("masculine", "feminine"),
    "tone": ("1-3", "4-6", "7-8", "9-10"),
    "age": ("0-30", "30+"),
    "age35": ("0-35", "35+"),
}
"""Axes of the paper with their categories; tones are groups of the ten of the Monk scale, and `age35` is the split of
the professions."""

_TONES = {
    str(tone): "1-3" if tone < 4 else "4-6" if tone < 7 else "7-8" if tone < 9 else "9-10" for tone in range(1, 11)
}


@dataclass(frozen=True)
class Labels:
    """Labels of pictures of people: for each picture its prompt and a category, or none, on each axis."""

    prompts: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]
    """by name, the category of each picture; empty where there is none"""


def read_labels(path: Path) -> Labels:
    """The labels of a CSV file with the columns prompt and at least one of gender, tone, age and age35.

    Tones may be numbers from 1 to 10 or the groups of the paper; ages may be numbers of years.

    Raises:
        UsageError: as of `read_table`, no axis, or an unknown category.
    """
    rows = read_table(path, ("prompt",))
    found = {name: tuple(_category(path, name, row[name]) for row in rows) for name in AXES if name in rows[0]}
    if not found:
        raise UsageError(f"{path} has no column of labels, expected one of {', '.join(AXES)}")
    return Labels(tuple(row["prompt"] for row in rows), found)


def _category(path: Path, axis: str, text: str) -> str:
    if axis == "tone":
        text = _TONES.get(text, text)
    elif axis.startswith("age") and re.fullmatch(r"[0-9]{1,3}", text):
        text = AXES[axis][int(text) >= (35 if axis == "age35" else 30)]
    if text and text not in AXES[axis]:
        raise UsageError(f"{path}: {axis} is {shortened(text)}, expected {', '.join(AXES[axis])}, or nothing")
    return text


def distribution(labels: Labels, axis: str, *, given: tuple[str, str] | None = None) -> dict[str, Rate]:
    """The share of each category among the labelled pictures (paper, table 3).

    Args:
        labels: of pictures.
        axis: one of `labels.axes`.
        given: an axis and a category to which pictures are restricted.
    """
    chosen = labels.axes[axis]
    if given is not None:
        pairs = zip(chosen, labels.axes[given[0]], strict=True)
        chosen = tuple(own for own, other in pairs if other == given[1])
    counts = Counter(filter(None, chosen))
    return {category: rate(counts[category], counts.total()) for category in AXES[axis]}


class Homogeneity(NamedTuple):
    """Prompts whose labelled pictures are all in one category."""

    rate: Rate
    expected: float
    """the same share if the pictures of a prompt were drawn independently from the whole distribution"""
    fewest: int
    median: float
    most: int
    """labelled pictures of a prompt, on which the share depends strongly"""
    left_out: int
    """prompts with fewer than two labelled pictures"""


def homogeneity(labels: Labels, axis: str) -> Homogeneity:
    r"""The share of prompts that give people of one category only (paper, table 4).

    For shares $q_c$ of the categories and $N$ labelled pictures of a prompt, $\sum_c q_c^N$ is expected under
    independence; its mean over the prompts is `expected`.

    Raises:
        UsageError: no prompt has two labelled pictures.
    """
    by_prompt: dict[str, list[str]] = defaultdict(list)
    for prompt, category in zip(labels.prompts, labels.axes[axis], strict=True):
        if category:
            by_prompt[prompt].append(category)
    kept = [own for own in by_prompt.values() if len(own) >= 2]
    if not kept:
        raise UsageError(f"no prompt has two pictures with a label of {axis}; label more pictures of each prompt")
    shares = np.array([own.share for own in distribution(labels, axis).values()])
    sizes = np.array([len(own) for own in kept])
    return Homogeneity(
        rate(sum(len(set(own)) == 1 for own in kept), len(kept)),
        float(np.mean([np.power(shares, size).sum() for size in sizes])),
        int(sizes.min()),
        float(np.median(sizes)),
        int(sizes.max()),
        len(set(labels.prompts)) - len(kept),
    )


Row = tuple[str, ...]


def fairness_table(systems: Mapping[str, Labels]) -> list[Row]:
    """Rows of a table with a column for each system: shares by category (paper, table 3)."""
    rows: list[Row] = [("axis", "category", *systems)]
    for axis in _common_axes(systems):
        found = [distribution(labels, axis) for labels in systems.values()]
        rows += [(axis, category, *(str(own[category]) for own in found)) for category in AXES[axis]]
    return rows


def homogeneity_table(systems: Mapping[str, Labels]) -> list[Row]:
    """Rows of a table: prompts with people of one category only, beside what independence gives (paper, table 4)."""
    rows: list[Row] = [("axis", "system", "one category only", "if independent", "pictures of a prompt", "left out")]
    for axis in _common_axes(systems):
        for name, labels in systems.items():
            own = homogeneity(labels, axis)
            sizes = f"{own.fewest} to {own.most}, median {own.median:g}"
            rows.append((axis, name, str(own.rate), f"{own.expected:.2%}", sizes, str(own.left_out)))
    return rows


def profession_table(systems: Mapping[str, Labels]) -> list[Row]:
    """Rows of a table for pictures of professions: tones, feminine, and under 35 among both (paper, section 4.4.2).

    Raises:
        UsageError: labels of gender, tone or age35 are missing.
    """
    for name, labels in systems.items():
        for axis in ("gender", "tone", "age35"):
            if axis not in labels.axes:
                raise UsageError(f"{name} has no column {axis}, expected gender, tone and age35 for professions")
    rows: list[Row] = [("people", *systems)]

    def add(title: str, axis: str, category: str, given: tuple[str, str] | None = None) -> None:
        shares = [distribution(labels, axis, given=given)[category] for labels in systems.values()]
        rows.append((title, *map(str, shares)))

    for category in AXES["tone"]:
        add(f"Monk tones {category}", "tone", category)
    add("feminine", "gender", "feminine")
    for category in ("feminine", "masculine"):
        add(f"under 35 among {category}", "age35", "0-35", ("gender", category))
    return rows


def _common_axes(systems: Mapping[str, Labels]) -> Sequence[str]:
    found = [axis for axis in AXES if all(axis in labels.axes for labels in systems.values())]
    if not found:
        raise UsageError("the files of labels have no column in common, expected the same axes in each")
    return found
