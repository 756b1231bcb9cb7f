"""Parameters, FLOPs, memory and time of a configuration."""

import jax
from flax import nnx
from onepaper.costs import dense_flops, training_cost

from slowae_rlt.config import ExperimentConfig, RunLengthExperiment, VectorQuantizedExperiment
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.models.vq_autoencoder import VQAutoencoder

AnyExperiment = ExperimentConfig | RunLengthExperiment | VectorQuantizedExperiment


def count_parameters(config: AnyExperiment) -> int:
    """Trained numbers, without allocating them."""

    def build() -> nnx.Module:
        if isinstance(config, RunLengthExperiment):
            return RunLengthTransformer(config.model, nnx.Rngs(0))
        if isinstance(config, VectorQuantizedExperiment):
            return VQAutoencoder(config.model, nnx.Rngs(0))
        return SlowAE(config.model, nnx.Rngs(0))

    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param)))


def cost_of(config: AnyExperiment) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated.

    Every weight counts as used once a grid step, a sample with a waveform decoder, or an event: an upper bound.
    """
    count = count_parameters(config)
    if isinstance(config, RunLengthExperiment):
        positions = config.model.length
    else:
        model = config.model.networks if isinstance(config, VectorQuantizedExperiment) else config.model
        of_samples = model.decoder.kind == "waveform"
        positions = round(config.data.crop_seconds * (model.sample_rate if of_samples else model.grid_rate))
    flops = dense_flops(count, config.batch_size * positions)
    return training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)
