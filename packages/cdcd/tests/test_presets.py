"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from cdcd.paper import PAPER
from cdcd.presets import PRESETS


def test_presets() -> None:
    check_presets(PAPER)


def test_rows_of_table_1() -> None:
    """37 arms of table 1 beside the base model: their number by group."""
    groups = ("no-", "embedding-scale", "mask", "warp-temperature", "warp-uniformity", "warp-beta")
    counts = [sum(name.startswith(f"paper-{group}") for name in PRESETS) for group in groups]
    assert counts == [2, 4, 5, 7, 4, 8]
