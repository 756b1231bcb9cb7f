"""Costs of a configuration: parameters, FLOPs, memory, time on a GPU."""

from onepaper.costs import dense_flops, training_cost

from audio_datasets.config import (
    EndToEndExperiment,
    FeatureConfig,
    FeaturesExperiment,
    FineTuningExperiment,
    MLPConfig,
    MultitaskConfig,
    MultitaskExperiment,
)
from audio_datasets.features.functionals import feature_names
from audio_datasets.models.emo18 import EndToEnd
from audio_datasets.models.mlp import MLP, Multitask

# FLOPs of the three convolutions for one frame of 1,600 samples, forward and backward.
_FRAME_FLOPS = 6.0 * (1600 * 64 * 8 + 160 * 64 * 128 * 6 + 20 * 128 * 256 * 6)


def cost_of(
    config: EndToEndExperiment | FeaturesExperiment | FineTuningExperiment | MultitaskExperiment,
) -> dict[str, str]:
    """The costs that `presets --cost` prints; clips are counted as 3 seconds long."""
    import torch

    if isinstance(config, FineTuningExperiment):
        return {"parameters": "those of the encoder"}
    with torch.device("meta"):
        if isinstance(config, EndToEndExperiment):
            model: torch.nn.Module = EndToEnd(config.model)
        elif isinstance(config, MultitaskExperiment):
            model = Multitask(MultitaskConfig(_inputs(config.features)))
        else:
            outputs = config.data.dataset.rpartition("-")[2]
            sizes = {"high": 10, "two": 2, "culture": 40}
            model = MLP(MLPConfig(_inputs(config.features), sizes.get(outputs, 8), widths=config.widths))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    flops = dense_flops(parameters, config.batch_size)
    if isinstance(config, EndToEndExperiment):
        frames = config.batch_size * 3 * config.data.rate // config.model.frame
        convolutions = sum(parameter.numel() for parameter in model.encoder.parameters())  # type: ignore[union-attr]
        flops = frames * (_FRAME_FLOPS * config.model.frame / 1600 + 6.0 * (parameters - convolutions))
    return training_cost(parameters, flops, config.loop.steps)


def _inputs(features: FeatureConfig) -> int:
    return len(feature_names(features))
