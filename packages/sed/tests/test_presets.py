"""Presets survive JSON, fields without a source exist, and aliases name presets."""

from onepaper.testing import check_presets

from sed.paper import PAPER
from sed.presets import PRESETS


def test_presets() -> None:
    check_presets(PAPER)


def test_batches_of_the_paper() -> None:
    """65,536 tokens for every model."""
    for name in ("paper-s", "paper-l", "paper-ablate", "bert-150m", "ar-s", "ar-l"):
        config = PRESETS[name].config
        assert config.batch_size * config.model.length == 65_536
