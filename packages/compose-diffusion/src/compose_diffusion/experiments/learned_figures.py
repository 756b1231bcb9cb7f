"""Figures of the claims about trained networks of the plane: learning curves, energy landscapes, the nine tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from onepaper.claims import ArmResult, Plot
from onepaper.display.plots import FONT, INK, PALETTE, SAMPLES, SMALL_FONT, place_legend, plot_axes
from torch import Tensor

from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.data.circles import make_component
from compose_diffusion.data.distributions import frame
from compose_diffusion.diffusion import NoiseSchedule, cosine_schedule
from compose_diffusion.evaluation.exact_toy import log_density_grid
from compose_diffusion.evaluation.learned_toy import network_leaf
from compose_diffusion.evaluation.toy_suite import SUITE, SuiteTask
from compose_diffusion.experiments.exact_toy import LABELS, PAPER_TOY, SHOWN_LEVEL
from compose_diffusion.models.toy import ToyNetwork

LANDSCAPE_LEVELS = (2, 15, 40, 75)
# Range of plotted energies, in nats.
HIGHEST_ENERGY = 12.0
TRUE_POINTS = 400


def target_grid(task: str, points: int = 120) -> Float[np.ndarray, "points points"]:
    """Exact log density of the target of a task, on [-1, 1]^2 near zero noise; 0 at its maximum."""
    if task != "negation":
        exact = replace(PAPER_TOY, task=cast('Literal["product", "mixture"]', task))
        return log_density_grid(exact, SHOWN_LEVEL, points=points).numpy()
    coordinates = grid_points(points)
    schedule = cosine_schedule(PAPER_TOY.num_levels)
    log_density = ExactLeaf(frame(), schedule).evaluate(coordinates, SHOWN_LEVEL).log_density
    assert log_density is not None
    return (log_density - log_density.max()).reshape(points, points).numpy()


def grid_points(points: int) -> Float[Tensor, "coordinates 2"]:
    """A square grid on [-1, 1]^2 as [points^2, 2], rows from low to high y."""
    axis = torch.linspace(-1, 1, points, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def suite_panels(found: Mapping[str, Mapping[str, Mapping[int, ArmResult]]], rows: Sequence[str], seed: int) -> Figure:
    """One row of panels for each task, one column for each sampler; true samples in the first column."""
    columns = ["true", *rows]
    figure = Figure(figsize=(1.35 * len(columns), 1.35 * len(found) + 0.3), layout="constrained")
    panels = figure.subplots(len(found), len(columns), squeeze=False)
    for line, (name, by_row) in zip(panels, found.items(), strict=True):
        for axes, row in zip(line, columns, strict=True):
            points = by_row[row][seed]["samples"] if row != "true" else _true_points(SUITE[name])
            axes.scatter(points[:, 0], points[:, 1], s=1.5, c=INK if row == "true" else SAMPLES, linewidths=0)
            axes.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect="equal", xticks=[], yticks=[])
            if row == "true" and not len(points):
                axes.text(0, 0, "empty", ha="center", va="center", fontsize=SMALL_FONT)
        line[0].set_ylabel(name, fontsize=SMALL_FONT)
    for axes, row in zip(panels[0], columns, strict=True):
        axes.set_title(LABELS[row], fontsize=SMALL_FONT)
    return figure


def _true_points(task: SuiteTask) -> np.ndarray:
    if task.target is None:
        return np.empty((0, 2))
    return task.target(TRUE_POINTS, torch.Generator().manual_seed(0)).numpy()


def learning_curves(title: str, arms: Mapping[str, Mapping[int, ArmResult]], floor: float, caption: str = "") -> Plot:
    """Training loss against steps, one line for each seed."""
    figure, axes = plot_axes("training step", "training loss")
    for index, (name, by_seed) in enumerate(arms.items()):
        for number, arm in enumerate(by_seed.values()):
            steps, losses = arm["curve"].T
            label = f"{name}, a line for each seed" if number == 0 else None
            axes.plot(steps, losses, color=PALETTE[index], linewidth=1.0, label=label)
    axes.axhline(floor, color=INK, linewidth=1.0, linestyle="--", label="exact prediction")
    place_legend(axes)
    return Plot(title, figure, caption)


def landscapes(networks: Mapping[str, ToyNetwork], schedule: NoiseSchedule, points: int = 80) -> Plot:
    """f / sigma_t on [-1, 1]^2 with minimum 0: one row for each form and one for the exact energy, a column per
    level."""
    coordinates = grid_points(points)
    levels = [level for level in LANDSCAPE_LEVELS if level < len(schedule)]
    leaves = {name: network_leaf(network, schedule) for name, network in networks.items()}
    leaves["exact"] = ExactLeaf(make_component("ring"), schedule)
    figure = Figure(figsize=(1.7 * len(levels) + 0.6, 1.75 * len(leaves)), layout="constrained")
    panels = []
    for line, (name, leaf) in enumerate(leaves.items()):
        for column, level in enumerate(levels):
            log_density = leaf.evaluate(coordinates.float() if name != "exact" else coordinates, level).log_density
            assert log_density is not None
            energy = (log_density.max() - log_density).reshape(points, points).numpy()
            axes = figure.add_subplot(len(leaves), len(levels), line * len(levels) + column + 1)
            axes.imshow(
                np.clip(energy, 0, HIGHEST_ENERGY), origin="lower", extent=(-1, 1, -1, 1), cmap="magma_r",
                vmin=0, vmax=HIGHEST_ENERGY,
            )  # fmt: skip
            panels.append(axes)
            axes.set(xticks=[], yticks=[])
            if line == 0:
                axes.set_title(f"level {level}", fontsize=FONT)
            if column == 0:
                axes.set_ylabel(name, fontsize=FONT)
    bar = figure.colorbar(panels[0].images[0], ax=panels, shrink=0.6, aspect=30)
    bar.set_label("energy above the minimum, nats", fontsize=FONT)
    bar.ax.tick_params(labelsize=SMALL_FONT)
    caption = f"Negative log density of the ring up to a constant, clipped at {HIGHEST_ENERGY:g} nats, on [-1, 1]^2."
    return Plot("Energy landscapes of the three forms", figure, caption, clouds=True)
