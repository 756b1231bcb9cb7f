"""Presets survive JSON, and aliases name presets."""

import pytest
from onepaper.config import from_dict, to_dict

from slowae_rlt.presets import ALIASES, PRESETS


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
