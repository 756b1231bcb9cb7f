from dataclasses import replace

import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.config.positions import ARMS, PositionsComparison
from compose_diffusion.evaluation.composed_positions import MEASURES, arm_options, compose_positions
from compose_diffusion.evaluation.detector import Detector, default_detector
from compose_diffusion.models.position_guidance import KERNEL_DEFAULTS

FEW = PositionsComparison(num_images=4, num_levels=8, langevin_moves=4, hamiltonian_moves=2, lowest_level=2)


def test_arms_are_reverse_steps_with_the_steps_that_suit():
    assert arm_options(FEW, "energy/reverse").method == "reverse"
    for arm in ARMS:
        kernel = arm.split("/")[1]
        options = arm_options(FEW, arm)
        assert options.clip_x0 == 1.0
        if kernel != "reverse":
            moves = FEW.langevin_moves if kernel in ("ula", "mala") else FEW.hamiltonian_moves
            expected = replace(
                KERNEL_DEFAULTS[kernel], method="reverse-mcmc", steps_per_level=moves, last_level=2, clip_x0=1.0
            )
            if kernel == "ula":
                expected = replace(expected, step_scale=FEW.ula_step)
            assert options == expected
    with pytest.raises(UsageError, match="unknown arm 'energy/nuts'"):
        arm_options(FEW, "energy/nuts")


@pytest.mark.parametrize(
    ("arm", "evaluations"),
    [("score/reverse", 8), ("score/ula", 8 + 4 * 5), ("energy/mala", 8 + 4 * 5), ("energy/hmc", 8 + 2 * 3 * 5)],
)
def test_measures_and_cost(arm, evaluations):
    drawn = compose_positions(FEW, arm, 2, 100)
    assert drawn.measured.keys() == MEASURES.keys()
    # Two positions and the unconditional model; moves at levels 6 to 2. The state that moves start from costs one
    # evaluation, which the next reverse step would have cost.
    assert drawn.measured["network_evaluations"] == 3 * evaluations
    assert (drawn.measured["acceptance"] > 0) == (arm in ("energy/mala", "energy/hmc"))
    assert drawn.images.shape == (4, 1, 32, 32)
    assert drawn.positions.shape == (4, 2, 2)
    again = compose_positions(FEW, arm, 2, 100)
    assert torch.equal(drawn.images, again.images)
    assert not torch.equal(drawn.positions, compose_positions(FEW, "score/reverse", 2, 101).positions)


def test_arms_are_asked_for_the_same_and_evaluated_by_all_positions():
    class Stub(Detector):
        def __init__(self):
            self.asked = None

        def scores(self, images):
            return torch.zeros(4, 25, 25)

        def found_at(self, scores, positions):
            self.asked = positions
            return torch.tensor([[True, True], [True, False], [False, False], [True, True]])

        def counts(self, scores):
            return torch.tensor([2, 4, 0, 3])

    stubs = [Stub(), Stub()]
    results = [
        compose_positions(FEW, arm, 2, 100, detector=stub)
        for arm, stub in zip(("score/reverse", "energy/reverse"), stubs, strict=True)
    ]
    assert torch.equal(stubs[0].asked, stubs[1].asked)
    assert results[0].measured["accuracy"] == 0.5
    assert results[0].measured["each"] == pytest.approx(5 / 8)
    assert results[0].measured["surplus"] == pytest.approx(3 / 4)


def test_shipped_networks_put_a_digit_where_it_is_asked_for():
    config = PositionsComparison(num_images=12, num_levels=26)
    assert compose_positions(config, "score/reverse", 1, 100).measured["accuracy"] > 0.7
    nowhere = compose_positions(config, "score/reverse", 1, 101)
    other = torch.flip(nowhere.positions, dims=[0])
    found = default_detector().found_at(default_detector().scores(nowhere.images), other)
    assert found.double().mean() < 0.3
