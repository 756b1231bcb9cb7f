"""Costs of a configuration: parameters, FLOPs, memory, time on a GPU."""

from onepaper.costs import training_cost

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.models.counts import official_parameter_count, parameter_count, step_flops


def cost_of(config: ExperimentConfig) -> dict[str, str]:
    """Parameters, targets and FLOPs of a training step, time on a GPU, and memory of the state."""
    flops = step_flops(config.model, config.batch_size)
    return {
        **training_cost(parameter_count(config.model), flops, config.loop.steps),
        "by the official layout": f"{official_parameter_count(config.model):,}",
        "targets per step": f"{config.batch_size * config.model.num_latents:,}",
    }
