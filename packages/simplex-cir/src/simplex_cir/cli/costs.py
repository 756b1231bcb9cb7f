"""What a configuration costs: parameters, FLOPs, memory, time on a GPU."""

import jax
import numpy as np
from flax import nnx

from simplex_cir.config import LearnedConfig, OracleConfig
from simplex_cir.models.denoiser import SimplexDenoiser

# FLOP/s that a training sustains on one data-centre GPU in bfloat16 (an assumption).
GPU_FLOPS_PER_SECOND = 1e14


def cost_of(config: LearnedConfig | OracleConfig) -> dict[str, str]:
    """Parameters, FLOPs of a training step (3 passes of 2 FLOPs per weight and position), memory, and time on a GPU."""
    if isinstance(config, OracleConfig):
        return {"parameters": "0", "draws": f"{config.num_draws:,} for each sampler"}
    model = nnx.eval_shape(lambda: SimplexDenoiser(config.model, nnx.Rngs(0)))
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    flops = 6 * count * config.batch_size * config.model.positions
    return {
        "parameters": f"{count:,}",
        "FLOPs per step": f"{flops:.2e}",
        # an estimate, and a lower bound for networks too small to fill a GPU
        "GPU time": f"{flops * config.loop.steps / GPU_FLOPS_PER_SECOND / 3600:.2g} h at 100 TFLOP/s",
        # weights, gradients, two moments and the average, four bytes each
        "memory for the state": f"{5 * 4 * count / 1e6:.2f} MB",
    }
