from dataclasses import replace

from perceiver_ar.config import PRESETS, ModelConfig
from perceiver_ar.costs import cost_of, step_flops


def test_costs_grow_as_they_should() -> None:
    base = ModelConfig(context_length=1024, num_latents=256, depth=4, width=64, vocab_size=10)
    assert step_flops(base, 2) == 2 * step_flops(base, 1)
    longer = step_flops(replace(base, context_length=2048), 1) - step_flops(base, 1)
    assert longer == 3 * 1024 * (4 * 64**2 + 4 * 256 * 64)
    for name in ("paper-imagenet64", "laptop-text"):
        told = cost_of(PRESETS[name].config)
        assert told["parameters"].replace(",", "").isdigit()
    assert "loop.steps" in cost_of(PRESETS["paper-copy-131k"].config)["our reading, not published"]
