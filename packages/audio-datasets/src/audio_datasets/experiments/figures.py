"""What the claims show beside their numbers: classes that are taken for each other, and how clips look and sound."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from onepaper.claims import Plot, Sound
from onepaper.display.plots import FONT, SMALL_FONT, WIDTH, plot_axes

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import ClipSet
from audio_datasets.features.low_level import low_level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 16_000
HEARD = ("pain", "laugh", "alarm", "joy")
_NOTICE = "From the voices of Hedgewars, © Andrey Korotaev, GNU FDL 1.3."


def draw_confusion(counts: Int[np.ndarray, "truth predicted"], names: tuple[str, ...]) -> "Figure":
    """Shares of the clips of each class (a row) by predicted class, in percent."""
    figure, axes = plot_axes("predicted", "class of the clip", height=4.4)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*shares.shape):
        share = shares[row, column]
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", color="white" if share > 50 else "black")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    return figure


def draw_clips(clips: ClipSet) -> "Figure":
    """Log-mel energies of clips beside each other, over seconds."""
    from matplotlib.figure import Figure

    levels = []
    for clip in clips:
        values, names = low_level(clip.read(RATE), FeatureConfig(rate=RATE, mels=64))
        levels.append(values[:, [name.startswith("log_mel") for name in names]].T)
    figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
    all_axes = figure.subplots(1, len(clips), squeeze=False)[0]
    for axes, clip, level in zip(all_axes, clips, levels, strict=True):
        top = float(level.max())
        extent = (0.0, level.shape[1] * FeatureConfig().hop_seconds, 0.0, 1.0)
        axes.imshow(level, origin="lower", aspect="auto", cmap="magma", vmin=top - 12, vmax=top, extent=extent)
        axes.set_yticks([])
        axes.set_title(clip.label, fontsize=FONT)
        axes.tick_params(labelsize=SMALL_FONT)
    all_axes[0].set_ylabel("64 mel bands", fontsize=SMALL_FONT)
    figure.supxlabel("seconds", fontsize=SMALL_FONT)
    return figure


def listen(clips: ClipSet) -> list[Plot | Sound]:
    """The shortest clip of some classes, by one voice: a picture of all, and each to hear."""
    voice = clips.clips[0].speaker
    by_length = sorted((clip for clip in clips if clip.speaker == voice), key=lambda clip: len(clip.read(RATE)))
    chosen = [clip for label in HEARD for clip in [c for c in by_length if c.label == label][:1]]
    return [
        Plot(f"Lines of the voice {voice}", draw_clips(ClipSet(clips.name, tuple(chosen))), clouds=True),
        *(Sound(f"{clip.label}: {clip.text}", clip.read(RATE), RATE, _NOTICE) for clip in chosen),
    ]
