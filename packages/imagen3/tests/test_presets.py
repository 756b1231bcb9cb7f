"""Presets survive JSON, and fields without a source exist."""

import pytest
from onepaper.testing import check_presets

from imagen3.models.networks import denoiser_parameter_count
from imagen3.paper import PAPER
from imagen3.presets import PRESETS


def test_presets() -> None:
    check_presets(PAPER)


def test_sizes() -> None:
    """The names of the large presets are their sizes."""
    assert denoiser_parameter_count(PRESETS["paper-2b"].config.denoiser) == pytest.approx(2e9, rel=0.05)
    assert denoiser_parameter_count(PRESETS["paper-8b"].config.denoiser) == pytest.approx(8e9, rel=0.05)
    assert denoiser_parameter_count(PRESETS["sana-like"].config.denoiser) == 1_604_462_752
