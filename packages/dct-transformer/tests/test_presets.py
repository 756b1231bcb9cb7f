"""Presets survive JSON, and aliases name presets."""

import pytest
from onepaper.config import from_dict, to_dict

from dct_transformer.config import BaselineConfig, ExperimentConfig
from dct_transformer.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = PRESETS[name].config
    assert isinstance(config, BaselineConfig if name.startswith("baseline-") else ExperimentConfig)
    assert from_dict(type(config), to_dict(config)) == config


def test_aliases() -> None:
    assert set(ALIASES.values()) <= set(PRESETS)
