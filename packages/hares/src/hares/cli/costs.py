"""Parameters, FLOPs, memory and time of a configuration."""

import torch
from onepaper.costs import training_cost
from torch.utils.flop_counter import FlopCounterMode

from hares.config import TrainConfig
from hares.models.encoder import Encoder
from hares.spectrograms.log_mel import frame_count


def cost_of(config: TrainConfig) -> dict[str, str]:
    """The costs that `presets --cost` prints; no network is trained or allocated."""
    front_end = config.encoder.front_end
    frames = frame_count(round(config.seconds * front_end.rate), front_end)
    with torch.device("meta"):
        encoder = Encoder(config.encoder).eval()
        count = sum(parameter.numel() for parameter in encoder.parameters())
        with FlopCounterMode(display=False) as counter:
            encoder.embed_spectrogram(torch.empty(1, frames, front_end.mels))
    # Three times the forward pass: the backward pass computes two products for each of the forward pass.
    passes = 3 * (1 if config.objective == "supervised" else 2)
    if config.objective == "byol":  # and the target network's forward passes
        passes += 2
    elif config.objective == "cpc":  # overlapping windows
        passes = 3 * config.cpc.frames / config.cpc.hop
    passes *= 4 / 3 if config.cached_rows else 1
    flops = passes * counter.get_total_flops() * config.batch_size
    cost = training_cost(count, flops, config.loop.steps, averaged=config.optimizer.ema_decay > 0)
    return {**cost, "MACs a crop": f"{counter.get_total_flops() / 2e9:.2f} G"}
