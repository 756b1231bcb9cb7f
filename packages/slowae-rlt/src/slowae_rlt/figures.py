"""Figure 1 of the paper for any recording: spectrogram, channels with their levels, and a bar for each event."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from slowae_rlt.config import MelConfig
from slowae_rlt.data.mel import log_mel, window_context
from slowae_rlt.events.event_list import Events

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_events(events: Events, samples: Float[np.ndarray, " samples"]) -> "Figure":
    """Spectrogram, levels of each channel, and events of a recording, on one axis of time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3, 4, 1])
    mel = MelConfig(hop=max(1, events.sample_rate // 125))
    spectrogram = np.asarray(log_mel(np.pad(samples, window_context(mel)), mel, events.sample_rate))
    upper.imshow(
        spectrogram.T, origin="lower", aspect="auto", cmap="magma", extent=(0, len(samples) / events.sample_rate, 0, 1)
    )
    upper.set_yticks([])
    upper.set_ylabel("log-mel")
    levels = events.raster()
    times = np.arange(len(levels)) / events.grid_rate
    for channel in range(events.channels):
        middle.step(times, levels[:, channel] + channel * (2 * events.highest + 2), where="post", lw=1)
    middle.set_yticks([])
    middle.set_ylabel("levels")
    changed = np.flatnonzero((levels[1:] != levels[:-1]).any(axis=1)) + 1
    lower.vlines(changed / events.grid_rate, 0, 1, lw=0.5, color="black")
    lower.set_yticks([])
    lower.set_ylabel("events")
    lower.set_xlabel(f"seconds; {events.rate():.0f} events a second")
    return figure
