"""Parameters, FLOPs, memory and time of a configuration."""

from onepaper.costs import dense_flops, training_cost

from imagen3.config import SystemConfig, UpsamplerConfig
from imagen3.models.networks import denoiser_parameter_count


def cost_of(config: SystemConfig | UpsamplerConfig) -> dict[str, str]:
    """The costs of the denoiser that `presets --cost` prints; nothing is allocated."""
    count = denoiser_parameter_count(config.denoiser)
    if isinstance(config, UpsamplerConfig):
        tokens, training = (config.tile // config.denoiser.patch) ** 2, config.training
    else:
        tokens = (config.grid // config.denoiser.patch) ** 2 + config.text.max_tokens
        training = config.denoiser_training
    # A token passes one of the two streams, about half of the parameters.
    flops = dense_flops(count // 2, training.batch_size * tokens)
    return training_cost(count, flops, training.loop.steps, averaged=training.optimizer.ema_decay > 0)
