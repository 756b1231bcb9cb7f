"""Parameters, FLOPs, memory and time of a configuration."""

import jax
from flax import nnx
from onepaper.costs import dense_flops, training_cost

from slowae_rlt.config import ExperimentConfig
from slowae_rlt.models.slow_autoencoder import SlowAE


def cost_of(config: ExperimentConfig) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated.

    Every weight counts as used once a grid step, an upper bound.
    """
    parameters = nnx.state(nnx.eval_shape(lambda: SlowAE(config.model, nnx.Rngs(0))), nnx.Param)
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    flops = dense_flops(count, config.batch_size * config.crop_steps)
    return training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)
