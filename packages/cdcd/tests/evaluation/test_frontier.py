"""Points are means with Student-t intervals of what the sampler gives; the figure draws them all."""

import numpy as np
import pytest
from scipy import stats

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus
from cdcd.evaluation.completions import evaluate_completions, held_out_prompts, make_evaluators
from cdcd.evaluation.frontier import draw_frontier, frontier_point, sweep_knob
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS


def test_points_and_figure(untrained: CategoricalDiffusion, letters: Corpus) -> None:
    from flax import nnx

    prompts = held_out_prompts(letters, 16, 4)
    evaluators = make_evaluators(AutoregressiveLM(PRESETS["smoke-evaluator"].config.model, nnx.Rngs(4)), letters)
    options = SamplingOptions(steps=2)
    points = sweep_knob(untrained, prompts, evaluators, options, "softmax_temperature", (0.5, 1.0), seeds=(3, 5))
    assert [point.label for point in points] == ["0.5", "1"]
    plain = [evaluate_completions(untrained, prompts, evaluators, options, seed=seed) for seed in (3, 5)]
    values = [row["entropy"] for row in plain]
    low, high = stats.t.interval(0.95, 1, loc=np.mean(values), scale=stats.sem(values))
    assert points[1].entropy == pytest.approx((np.mean(values), low, high), rel=1e-6)
    text = frontier_point("", [evaluators.measure(prompts.tokens, prompts.mask)])
    assert np.isnan(text.ar_nll.low)
    figure = draw_frontier({"softmax temperature": points}, {"held-out text": text})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_legend().get_texts()] == ["softmax temperature", "held-out text"]
    np.testing.assert_allclose(
        axes.containers[0].lines[0].get_xydata(),
        [(point.entropy.estimate, point.ar_nll.estimate) for point in points],
    )
