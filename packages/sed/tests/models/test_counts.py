"""Numbers of parameters against the formula of the architecture."""

import pytest

from sed.config import MaskedExperiment, ModelConfig
from sed.models.counts import count_parameters, step_flops
from sed.presets import COMPUTED_PARAMETERS, PRESETS


def formula(config: ModelConfig) -> int:
    """A pre-norm Transformer with a projection of positions and two biases of each head in every block."""
    d, a, e = config.width, config.heads * config.head_size, config.embed_dim
    block = 4 * d * a + 3 * a + d + (d * a + 2 * a) + 8 * d * d + 5 * d + 4 * d
    features = 2 * e if config.cond_input == "inplace" else 3 * e + 1
    outside = features * d + d + d * d + d + d * e + e + 2 * d + config.vocab_size * e
    return config.depth * block + outside


@pytest.mark.parametrize("name", ["paper-s", "paper-l", "paper-ablate", "laptop", "laptop-wide", "smoke"])
def test_formula(name: str) -> None:
    config = PRESETS[name].config.model
    assert count_parameters(config) == formula(config)
    if name in COMPUTED_PARAMETERS:
        assert count_parameters(config) == COMPUTED_PARAMETERS[name]


def test_sizes_of_the_paper() -> None:
    """134 and 419 million, which the paper rounds to 135 and 420."""
    assert [round(count / 1e6, 1) for count in COMPUTED_PARAMETERS.values()] == [134.2, 419.1]


def test_passes_of_self_conditioning() -> None:
    """Twice the passes for both, 7/6 for half of the batch once more without gradients."""
    flops = [
        step_flops(ModelConfig(self_conditioning=kind, bits=True, embed_dim=11), 8)  # type: ignore[arg-type]
        for kind in ("off", "coin", "both")
    ]
    assert flops[1] / flops[0] == pytest.approx(7 / 6)
    assert flops[2] / flops[0] == pytest.approx(2)
    masked = MaskedExperiment().model
    assert 0 < step_flops(masked, 8) < step_flops(PRESETS["laptop-evaluator"].config.model, 8)
