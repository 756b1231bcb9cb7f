"""The public data sets that presets read, as they were published: names and numbers of files."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from onepaper.foreign.layouts import Finding, Layout, Part

from perceiver_ar.config import ExperimentConfig

# Version of the table -> performances for training, validation and test.
MAESTRO_PERFORMANCES = {
    "maestro-v1.0.0": (954, 105, 125),
    "maestro-v2.0.0": (967, 137, 178),
    "maestro-v3.0.0": (962, 137, 177),
}
# Tokens of the two short files, an end of each line counted (Merity et al., 2017, table 1).
WIKITEXT_TOKENS = {"wiki.valid.tokens": 217_646, "wiki.test.tokens": 245_569}


def _count_tokens(root: Path) -> Iterator[Finding]:
    for name, published in WIKITEXT_TOKENS.items():
        if (root / name).is_file():
            with (root / name).open("rb") as file:
                found = sum(len(line.split()) + 1 for line in file)
            differs = found != published
            yield Finding(f"{name}: {found:,} tokens" + (f", published are {published:,}" if differs else ""), differs)


def _check_table(root: Path) -> Iterator[Finding]:
    """Performances of each split in MAESTRO's table, and whether their files are there."""
    tables = sorted(root.glob("maestro-v*.csv"))
    if not tables:
        return
    with tables[-1].open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [(row.get("split") or "", row.get("midi_filename") or "") for row in csv.DictReader(file)]
    counts = Counter(split for split, _ in rows)
    splits = ("train", "validation", "test")
    published = dict(zip(splits, MAESTRO_PERFORMANCES.get(tables[-1].stem, ()), strict=False))
    for split in splits:
        expected = published.get(split, counts[split])
        more = f", published are {expected:,}" if expected != counts[split] else ""
        found = f"{split}: {counts[split]:,} performances in {tables[-1].name}"
        yield Finding(found + more, bool(more) or not counts[split], not counts[split])
    missing = [name for _, name in rows if not name or not (root / name).is_file()]
    if missing:
        yield Finding(f"{len(missing):,} MIDI files of the table are not there, first '{missing[0]}'", True, True)


LAYOUTS = (
    Layout(
        "pg19",
        "PG-19 (Rae et al., 2020)",
        (
            Part("train", "train/*.txt", 28_602, 10**10),
            Part("validation", "validation/*.txt", 50),
            Part("test", "test/*.txt", 100),
        ),
    ),
    Layout(
        "wikitext103",
        "Wikitext-103 (Merity et al., 2017)",
        (
            Part("train", "wiki.train.tokens", 1, 500_000_000),
            Part("validation", "wiki.valid.tokens", 1, 1_000_000),
            Part("test", "wiki.test.tokens", 1, 1_000_000),
        ),
        _count_tokens,
    ),
    Layout(
        "imagenet64",
        "ImageNet 64 x 64 (van den Oord et al., 2016), the version of published bits/dim",
        (
            Part("train", "train_64x64/*.png", 1_281_149),
            Part("validation and test", "valid_64x64/*.png", 49_999),
        ),
    ),
    Layout(
        "imagenet64",
        "ImageNet 64 x 64 (Chrabaszcz et al., 2017), whose bits/dim are not comparable with the paper's",
        (
            Part("train", "train_data_batch_*.npz", 10, 1_281_167 * 3 * 64 * 64),
            Part("validation and test", "val_data.npz", 1, 50_000 * 3 * 64 * 64),
        ),
    ),
    Layout("maestro", "MAESTRO (Hawthorne et al., 2019)", (Part("table", "maestro-v*.csv", 1),), _check_table),
)


def layouts(config: ExperimentConfig | None = None) -> list[Layout]:
    """The layouts of the data set that a configuration reads, or all."""
    return [layout for layout in LAYOUTS if config is None or layout.dataset == config.data.dataset]
