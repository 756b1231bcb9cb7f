"""Presets survive JSON, and fields without a source exist."""

import pytest
from onepaper.config import from_dict, to_dict

from imagen3.models.networks import denoiser_parameter_count
from imagen3.presets import ALIASES, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    preset = PRESETS[name]
    assert from_dict(type(preset.config), to_dict(preset.config)) == preset.config
    assert all(hasattr(preset.config, field) for field in preset.unsure)


def test_aliases() -> None:
    assert set(ALIASES.values()) <= set(PRESETS)


def test_sizes() -> None:
    """The names of the large presets are their sizes."""
    assert denoiser_parameter_count(PRESETS["paper-2b"].config.denoiser) == pytest.approx(2e9, rel=0.05)
    assert denoiser_parameter_count(PRESETS["paper-8b"].config.denoiser) == pytest.approx(8e9, rel=0.05)
    assert denoiser_parameter_count(PRESETS["sana-like"].config.denoiser) == 1_604_462_752
