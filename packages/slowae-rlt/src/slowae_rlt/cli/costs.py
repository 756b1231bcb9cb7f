"""Parameters, FLOPs, memory and time of a configuration."""

import jax
from flax import nnx
from onepaper.costs import dense_flops, training_cost

from slowae_rlt.config import ExperimentConfig, RunLengthExperiment
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.models.slow_autoencoder import SlowAE


def count_parameters(config: ExperimentConfig | RunLengthExperiment) -> int:
    """Trained numbers, without allocating them."""

    def build() -> nnx.Module:
        if isinstance(config, RunLengthExperiment):
            return RunLengthTransformer(config.model, nnx.Rngs(0))
        return SlowAE(config.model, nnx.Rngs(0))

    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param)))


def cost_of(config: ExperimentConfig | RunLengthExperiment) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated.

    Every weight counts as used once a grid step, or once an event, an upper bound.
    """
    count = count_parameters(config)
    positions = config.model.length if isinstance(config, RunLengthExperiment) else config.crop_steps
    flops = dense_flops(count, config.batch_size * positions)
    return training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)
