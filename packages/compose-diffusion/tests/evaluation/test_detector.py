import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.config.positions import CanvasConfig
from compose_diffusion.data.canvases import draw_canvases
from compose_diffusion.evaluation.detector import SAME_DIGIT, default_detector, measured_accuracy


@pytest.fixture(scope="module")
def canvases():
    return draw_canvases(40, CanvasConfig(), "model", np.random.default_rng(5), num_digits=4)


@pytest.mark.parametrize("num_digits", [1, 5])
def test_it_finds_digits_that_it_has_not_seen(num_digits):
    accuracy = measured_accuracy(num_digits)
    assert accuracy["all found"] > 0.97
    assert accuracy["right count"] > 0.95
    assert accuracy["false finds"] < 0.002


def test_a_find_is_at_most_a_pixel_away(canvases):
    detector = default_detector()
    scores = detector.scores(canvases.images)
    positions = canvases.positions[:, :4]
    assert detector.found_at(scores, positions).double().mean() > 0.98
    inside = ((positions >= 3) & (positions <= 21)).all(dim=2)
    for shift, least, most in ((1, 0.95, 1.0), (4, 0.0, 0.03)):
        for direction in ((shift, 0), (0, -shift)):
            found = detector.found_at(scores, (positions + torch.tensor(direction)).clamp(0, 24))[inside]
            # Four pixels away another digit may lie, and be found.
            assert least <= found.double().mean() <= most + 0.05


def test_empty_canvases_and_faint_digits_show_nothing(canvases):
    detector = default_detector()
    paper = torch.full((2, 1, 32, 32), -1.0)
    assert detector.counts(detector.scores(paper)).tolist() == [0, 0]
    faint = detector.scores(-1 + 0.2 * (canvases.images + 1))
    assert not detector.found_at(faint, canvases.positions[:, :4]).any()


def test_counts_against_a_greedy_reference():
    scores = torch.rand(6, 12, 15, generator=torch.Generator().manual_seed(0)) ** 8
    expected = []
    for sheet in scores.tolist():
        finds = sorted(((p, y, x) for y, row in enumerate(sheet) for x, p in enumerate(row) if p > 0.5), reverse=True)
        kept = []
        for _, y, x in finds:
            if all(max(abs(y - b), abs(x - a)) >= SAME_DIGIT for b, a in kept):
                kept.append((y, x))
        expected.append(len(kept))
    assert default_detector().counts(scores).tolist() == expected
    assert min(expected) > 1


def test_scores_are_indexed_by_row_and_column(canvases):
    scores = default_detector().scores(canvases.images[:, :, :20, :])
    assert scores.shape == (40, 13, 25)
    x, y = canvases.positions[canvases.positions[:, 0, 1] <= 10][0, 0].tolist()
    index = (canvases.positions[:, 0, 1] <= 10).nonzero()[0, 0]
    assert float(scores[index, y, x]) > 0.5


def test_images_of_another_shape():
    with pytest.raises(UsageError, match=r"shape \(1, 1, 7, 32\), expected \[count, 1, height, width\]"):
        default_detector().scores(torch.zeros(1, 1, 7, 32))
