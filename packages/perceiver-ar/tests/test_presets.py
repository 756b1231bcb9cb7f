"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from perceiver_ar.paper import PAPER
from perceiver_ar.presets import PRESETS

# Every row of the table of architectures, by the names of the presets.
ROWS = [
    "copy-32", "copy-131k", "imagenet64", "imagenet64-order-full", "imagenet64-order-1k",
    "wikitext103-1k", "wikitext103-2k", "wikitext103-4k", "wikitext103-8k", "pg19-2k", "pg19-4k",
    "books-1k", "books-2k", "books-4k", "books-8k", "books-16k", "books-deep",
    "maestro", "piano-10kh", "soundstream-8k", "soundstream-16k", "soundstream-32k", "soundstream-64k",
]  # fmt: skip


def test_presets() -> None:
    check_presets(PAPER)


def test_every_row_of_the_paper_has_a_preset() -> None:
    assert [name for name in PRESETS if name.startswith("paper-")] == [f"paper-{row}" for row in ROWS]


def test_the_papers_runs_sum_and_clip() -> None:
    for name, preset in PRESETS.items():
        assert preset.config.optimizer.clip_norm == 1.0
        assert preset.config.loss_reduction == ("sum" if name.startswith("paper-") else "mean")
