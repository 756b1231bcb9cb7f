"""Presets survive JSON, and aliases name presets."""

import pytest
from onepaper.config import from_dict, to_dict

from slowae_rlt.config import ExperimentConfig
from slowae_rlt.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    assert from_dict(ExperimentConfig, to_dict(PRESETS[name].config)) == PRESETS[name].config


def test_aliases() -> None:
    assert set(ALIASES.values()) <= set(PRESETS)
