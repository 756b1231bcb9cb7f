"""Presets survive JSON, and fields without a source exist."""

import pytest
from onepaper.config import from_dict, to_dict

from sed.presets import ALIASES, PRESETS


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


def test_batches_of_the_paper() -> None:
    """65,536 tokens for every model."""
    for name in ("paper-s", "paper-l", "paper-ablate", "bert-150m", "ar-s", "ar-l"):
        config = PRESETS[name].config
        assert config.batch_size * config.model.length == 65_536
