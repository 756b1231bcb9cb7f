"""Counts of parameters and operations by hand."""

from cdcd.config import AutoregressiveConfig, ModelConfig
from cdcd.models.counts import count_parameters, step_flops
from cdcd.presets import COMPUTED_PARAMETERS, PRESETS


def test_paper_presets() -> None:
    for name, expected in COMPUTED_PARAMETERS.items():
        config = PRESETS[name].config.model
        assert count_parameters(config) == expected + 2 * config.warp.bins


def test_by_hand() -> None:
    config = ModelConfig(vocab_size=10, length=4, embed_dim=3, width=8, depth=1, heads=2, time_width=4)
    block = 12 * 64 + 9 * 8
    norms = 3 * (4 * 16 + 16)
    assert count_parameters(config) == 30 + (10 * 8 + 8) + block + norms + 2 * (16 + 4) + (80 + 10) + 200
    assert step_flops(config, 2) == 3.5 * 8 * (2 * (12 * 64 + 10 * 8 + 80) + 4 * 4 * 8)
    causal = AutoregressiveConfig(vocab_size=10, length=4, width=8, depth=1, heads=2)
    assert count_parameters(causal) == 11 * 8 + block + 3 * 16 + (80 + 10)
    assert step_flops(causal, 2) == 3.0 * 8 * (2 * (12 * 64 + 80) + 4 * 4 * 8)
