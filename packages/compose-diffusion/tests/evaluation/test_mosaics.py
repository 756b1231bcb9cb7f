import pytest
import torch

from compose_diffusion.config.positions import TapestryComparison, WhatWhereComparison
from compose_diffusion.evaluation.digit_evaluator import default_evaluator
from compose_diffusion.evaluation.mosaics import TAPESTRY_ARMS, digit_tapestry, what_where


@pytest.mark.parametrize("arm", TAPESTRY_ARMS)
def test_tapestries_show_what_is_asked_for(arm):
    config = TapestryComparison(columns=2, num_images=6, num_levels=10)
    drawn = digit_tapestry(config, arm, 100)
    assert drawn.images.shape == (6, 1, 14, 14)
    assert drawn.labels.shape == (6, 4)
    corners = [(0, 0), (0, 6), (6, 0), (6, 6)]
    named = [default_evaluator().predict(drawn.images[:, :, y : y + 8, x : x + 8]) for y, x in corners]
    right = torch.stack(named, dim=1) == drawn.labels
    assert drawn.measured["regional accuracy"] == pytest.approx(float(right.double().mean()))
    assert drawn.measured["whole tapestries"] == pytest.approx(float(right.all(dim=1).double().mean()))
    assert drawn.measured["regional accuracy"] > 0.4
    assert torch.equal(drawn.images, digit_tapestry(config, arm, 100).images)


def test_what_where_knows_classes_and_the_places_alone_do_not():
    config = WhatWhereComparison(num_digits=2, num_images=8, num_levels=20)
    both, alone = (what_where(config, arm, 100) for arm in ("reverse", "places alone"))
    assert torch.equal(both.labels, alone.labels)
    assert both.images.shape == (8, 1, 32, 32)
    assert both.measured["right digits"] > alone.measured["right digits"]
    assert both.measured["all right"] <= both.measured["right digits"]
