"""Costs of a configuration: parameters, FLOPs, memory, time on a GPU."""

from onepaper.costs import training_cost

from cdcd.config import (
    AutoregressiveExperiment,
    CausalTranslationExperiment,
    ExperimentConfig,
    TranslationExperiment,
)
from cdcd.models.counts import count_parameters, step_flops

Experiment = ExperimentConfig | AutoregressiveExperiment | TranslationExperiment | CausalTranslationExperiment


def cost_of(config: Experiment) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated."""
    flops = step_flops(config.model, config.batch_size)
    costs = training_cost(count_parameters(config.model), flops, config.loop.steps)
    return costs | {"tokens per step": f"{config.batch_size * config.model.length:,}"}
