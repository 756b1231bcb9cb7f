"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from hares.paper import PAPER


def test_presets() -> None:
    check_presets(PAPER)
