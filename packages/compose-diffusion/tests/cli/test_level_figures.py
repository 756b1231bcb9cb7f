import numpy as np

from compose_diffusion.cli.level_figures import curves_by_level, sweep_figure


def test_levels_without_a_number_are_left_out_and_high_noise_is_left():
    figure = curves_by_level({"acceptance": np.array([0.5, np.nan, 0.75])})
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [0, 2]
    assert line.get_ydata().tolist() == [0.5, 0.75]
    assert axes.xaxis_inverted()


def test_a_sweep_has_a_curve_for_each_size_and_one_legend():
    curves = {"0.1": np.array([0.9, 0.8]), "0.2": np.array([0.7, 0.1])}
    figure = sweep_figure(curves, curves)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["0.1", "0.2"]
