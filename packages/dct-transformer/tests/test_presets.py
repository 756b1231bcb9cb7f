"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from dct_transformer.config import BaselineConfig, ExperimentConfig
from dct_transformer.paper import PAPER
from dct_transformer.presets import PRESETS


def test_presets() -> None:
    check_presets(PAPER)


def test_kinds() -> None:
    for name, preset in PRESETS.items():
        assert isinstance(preset.config, BaselineConfig if name.startswith("baseline-") else ExperimentConfig)
