"""Figures show what they are given: one panel for each, energies at zero in their minimum, contours where mass is."""

import numpy as np
import torch

from compose_diffusion.config.toy import ToyNetworkConfig
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.evaluation.toy_suite import SUITE
from compose_diffusion.experiments.learned_figures import (
    grid_points,
    landscapes,
    learning_curves,
    suite_panels,
    target_grid,
)
from compose_diffusion.models.toy import ToyEnergy


def test_grid_runs_along_x_first():
    places = grid_points(3)
    assert places[:4].tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 0]]


def test_targets_are_high_where_they_should_be():
    negation = target_grid("negation", points=41)
    assert negation.max() == 0.0
    middle, frame = negation[20, 20], negation[20, 30]  # (0, 0) and (0.5, 0)
    assert middle < -3 < frame
    product = target_grid("product", points=41)
    assert product[30, 20] > -1 > -6 > product[20, 30]  # a mode at (0, 0.5), none at (0.5, 0)


def test_landscapes_have_a_row_for_each_form_and_the_exact_one():
    networks = {"first": ToyEnergy(ToyNetworkConfig(width=8)), "second": ToyEnergy(ToyNetworkConfig(width=8))}
    figure = landscapes(networks, cosine_schedule(20), points=15).figure
    assert len(figure.axes) == 3 * 2 + 1, "levels 2 and 15 exist, and the scale"
    for axes in figure.axes[:-1]:
        energy = axes.images[0].get_array()
        assert energy.min() == 0
        assert energy.max() <= 12


def test_learning_curves_draw_every_seed_and_the_floor():
    curve = np.array([[1, 0.5], [2, 0.4]])
    plot = learning_curves("title", {"a": {0: {"curve": curve}, 1: {"curve": curve}}}, floor=0.3)
    (axes,) = plot.figure.axes
    assert len(axes.lines) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "a, a line for each seed",
        "exact prediction",
    ]


def test_suite_panels_show_true_samples_first():
    points = torch.zeros(5, 2).numpy()
    found = {name: {row: {100: {"samples": points}} for row in ("reverse", "hmc")} for name in SUITE}
    figure = suite_panels(found, ("reverse", "hmc"), 100)
    assert len(figure.axes) == 9 * 3
    assert figure.axes[1].collections[0].get_offsets().shape == (5, 2)
    assert figure.axes[0].collections[0].get_offsets().shape[0] > 100
