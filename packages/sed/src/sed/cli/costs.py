"""Costs of a configuration: parameters, FLOPs, memory, time on a GPU."""

from onepaper.costs import training_cost

from sed.models.counts import count_parameters, step_flops
from sed.training import AnyExperiment


def cost_of(config: AnyExperiment) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated."""
    flops = step_flops(config.model, config.batch_size)
    averaged = config.optimizer.ema_decay > 0
    costs = training_cost(count_parameters(config.model), flops, config.loop.steps, averaged=averaged)
    return costs | {"tokens per step": f"{config.batch_size * config.model.length:,}"}
