"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from simplex_cir.paper import PAPER
from simplex_cir.presets import PRESETS


def test_presets() -> None:
    check_presets(PAPER)


def test_letters() -> None:
    assert PRESETS["laptop-letters"].config.model.num_categories == 27
