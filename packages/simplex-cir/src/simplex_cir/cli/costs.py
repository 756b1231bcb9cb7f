"""What a configuration costs, for `presets --cost`."""

import jax
import numpy as np
from flax import nnx
from onepaper.costs import dense_flops, training_cost

from simplex_cir.config import LearnedConfig, OracleConfig
from simplex_cir.models.denoiser import SimplexDenoiser


def cost_of(config: LearnedConfig | OracleConfig) -> dict[str, str]:
    """Parameters, FLOPs, memory and GPU time of a training; the number of draws of an oracle."""
    if isinstance(config, OracleConfig):
        return {"parameters": "0", "draws": f"{config.num_draws:,} for each sampler"}
    model = nnx.eval_shape(lambda: SimplexDenoiser(config.model, nnx.Rngs(0)))
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    flops = dense_flops(count, config.batch_size * config.model.positions)
    return training_cost(count, flops, config.loop.steps, averaged=True)
