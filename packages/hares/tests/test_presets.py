"""Presets survive JSON, and aliases name presets."""

import pytest
from onepaper.config import flatten, from_dict, to_dict

from hares.config import TrainConfig
from hares.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    assert from_dict(TrainConfig, to_dict(PRESETS[name].config)) == PRESETS[name].config
    assert set(PRESETS[name].unsure) <= set(flatten(to_dict(PRESETS[name].config)))


def test_aliases() -> None:
    assert set(ALIASES.values()) <= set(PRESETS)
