"""Figures of an evaluation: radar plot, gaps between domains, critical differences, spectrograms."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32
from onepaper.display.file_bytes import picture_png
from onepaper.display.plots import FONT, MARKERS, PALETTE, SMALL_FONT, WIDTH
from onepaper.errors import UsageError

from hares.config import FrontEndConfig
from hares.probing.scores import Score, rank_test
from hares.spectrograms.log_mel import log_mel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEWEST = 3


def radar(scores: Mapping[str, Mapping[str, float]]) -> "Figure":
    """One closed line an embedding over an axis a task, from 0 at the centre to 1.

    Args:
        scores: embedding -> task -> accuracy, of the same tasks in the same order.

    Raises:
        UsageError: no embeddings, fewer than three tasks, or embeddings with different tasks.
    """
    tasks: Sequence[str] = list(next(iter(scores.values()), {}))
    if len(tasks) < _FEWEST or any(list(values) != tasks for values in scores.values()):
        raise UsageError(f"{len(tasks)} tasks; a radar plot needs at least {_FEWEST}, the same for all embeddings")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, WIDTH), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    for index, (name, values) in enumerate(scores.items()):
        closed = [*values.values(), next(iter(values.values()))]
        colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        axes.plot([*angles, angles[0]], closed, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xticks(angles, tasks, fontsize=FONT)
    for label, side in zip(axes.get_xticklabels(), np.cos(angles), strict=True):
        label.set_horizontalalignment("center" if abs(side) < 0.3 else "left" if side > 0 else "right")
    axes.set_ylim(0, 1)
    axes.tick_params(axis="y", labelsize=SMALL_FONT)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, fontsize=SMALL_FONT, frameon=False)
    return figure


def gap_matrix(gaps: Mapping[str, Mapping[str, tuple[str, Score]]]) -> "Figure":
    """A cell an embedding and domain: the difference from the best other embedding, with its 95% interval.

    Args:
        gaps: of `domain_gaps`.
    """
    from matplotlib.figure import Figure

    names, domains = list(gaps), list(next(iter(gaps.values())))
    values = np.array([[gaps[name][domain][1].mean for domain in domains] for name in names])
    figure = Figure(figsize=(WIDTH, 0.9 + 0.5 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    limit = max(float(np.abs(values).max()), 1e-9)
    axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    for row, name in enumerate(names):
        for column, domain in enumerate(domains):
            score = gaps[name][domain][1]
            text = f"{score.mean:+.1%}\n[{score.low:+.1%}, {score.high:+.1%}]"
            colour = "white" if abs(score.mean) > 0.6 * limit else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=SMALL_FONT, color=colour)
    axes.set_xticks(range(len(domains)), domains, fontsize=FONT)
    axes.set_yticks(range(len(names)), names, fontsize=FONT)
    return figure


def critical_difference(scores: Mapping[str, Mapping[str, float]]) -> "Figure":
    """Mean ranks of embeddings over tasks; bars join those whose ranks do not differ by a critical difference.

    Args:
        scores: embedding -> task -> score, of the same tasks in the same order.

    Raises:
        UsageError: as of `rank_test`.
    """
    from matplotlib.figure import Figure

    ranks, difference, _ = rank_test(scores)
    ordered = sorted(ranks, key=ranks.__getitem__)
    figure = Figure(figsize=(WIDTH, 1.0 + 0.28 * len(ordered)), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(ordered):
        colour = PALETTE[list(scores).index(name) % len(PALETTE)]
        axes.plot([1, ranks[name]], [-row, -row], color="0.9", zorder=0)
        axes.plot(ranks[name], -row, "o", color=colour)
    for left, name in enumerate(ordered):
        joined = [other for other in ordered[left:] if ranks[other] - ranks[name] < difference]
        before = ordered[left - 1] if left else None
        # A bar within the bar of the embedding before says nothing new.
        if len(joined) > 1 and (before is None or ranks[joined[-1]] - ranks[before] >= difference):
            height = -left - 0.35
            axes.plot([ranks[name], ranks[joined[-1]]], [height, height], color="0.3", linewidth=3)
    axes.set_yticks([-row for row in range(len(ordered))], ordered, fontsize=FONT)
    axes.set_xlabel(
        f"mean rank over {len(next(iter(scores.values())))} tasks; difference {difference:.2f}", fontsize=FONT
    )
    axes.tick_params(axis="x", labelsize=SMALL_FONT)
    return figure


def spectrogram_picture(samples: Float32[np.ndarray, " samples"]) -> bytes:
    """The log-mel spectrogram of a clip at 16 kHz as PNG, low bands below."""
    made = log_mel(torch.from_numpy(samples)[None], FrontEndConfig())[0].numpy().T[::-1]
    grey = np.clip((made + 2.5) / 5.0, 0.0, 1.0)
    return picture_png(np.repeat(np.round(255 * grey).astype(np.uint8)[..., None], 3, axis=2))
