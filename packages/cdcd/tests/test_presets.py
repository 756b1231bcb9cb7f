"""Presets survive JSON, and fields without a source exist."""

import pytest
from onepaper.config import from_dict, to_dict

from cdcd.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    preset = PRESETS[name]
    assert from_dict(type(preset.config), to_dict(preset.config)) == preset.config
    for field in preset.unsure:
        value = preset.config
        for part in field.split("."):
            value = getattr(value, part)


def test_aliases() -> None:
    assert set(ALIASES.values()) <= set(PRESETS)


def test_rows_of_table_1() -> None:
    """37 arms of table 1 beside the base model: their number by group."""
    groups = ("no-", "embedding-scale", "mask", "warp-temperature", "warp-uniformity", "warp-beta")
    counts = [sum(name.startswith(f"paper-{group}") for name in PRESETS) for group in groups]
    assert counts == [2, 4, 5, 7, 4, 8]
