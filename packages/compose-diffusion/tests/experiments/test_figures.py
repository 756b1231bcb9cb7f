"""Figures hold what they were given."""

import numpy as np

from compose_diffusion.experiments.figures import samples_over_density


def test_a_panel_for_each_sampler():
    points = {name: np.random.default_rng(0).normal(size=(20, 2)) for name in ("a", "b", "c", "d", "e")}
    figure = samples_over_density(points, np.zeros((8, 8)) - np.arange(8.0), notes={"a": "note"})
    assert [axes.get_title() for axes in figure.axes] == ["a\nnote", "b", "c", "d", "e"]
    np.testing.assert_array_equal(figure.axes[1].collections[-1].get_offsets(), points["b"])
