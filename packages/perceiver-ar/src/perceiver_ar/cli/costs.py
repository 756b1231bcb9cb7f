"""Costs of a configuration: parameters, FLOPs, memory, time on a GPU."""

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.models.counts import official_parameter_count, parameter_count, step_flops

# Assumed sustained speed of one data-center GPU in bfloat16.
GPU_FLOPS_PER_SECOND = 1e14


def cost_of(config: ExperimentConfig) -> dict[str, str]:
    """Parameters, FLOPs of a training step, memory of the state, and time on a GPU."""
    count = parameter_count(config.model)
    flops = step_flops(config.model, config.batch_size)
    return {
        "parameters": f"{count:,}",
        "by the official layout": f"{official_parameter_count(config.model):,}",
        "targets per step": f"{config.batch_size * config.model.num_latents:,}",
        "FLOPs per step": f"{flops:.2e}",
        # an estimate, and a lower bound for networks too small to fill a GPU
        "GPU time": f"{flops * config.loop.steps / GPU_FLOPS_PER_SECOND / 3600:.2g} h at 100 TFLOP/s",
        # weights, gradients, two moments, four bytes each
        "memory for the state": f"{4 * 4 * count / 1e6:.2f} MB",
    }
