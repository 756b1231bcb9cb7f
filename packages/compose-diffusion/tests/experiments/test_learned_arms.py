"""Arms: a network comes back as it was trained, score networks are corrected by line integrals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.claims import ClaimContext

from compose_diffusion.evaluation.toy_suite import SUITE
from compose_diffusion.experiments import learned_arms
from compose_diffusion.experiments.learned_arms import (
    draw_arm,
    exact_arm,
    form_of,
    suite_arm,
    train_arm,
    trained,
)


@pytest.fixture
def context():
    return ClaimContext(tier="full", seeds=(100,), device="cpu")


@pytest.mark.usefixtures("small_learned_toy")
def test_a_trained_network_comes_back_from_its_arm_as_it_was(context):
    arm = train_arm(context, learned_arms.LAPTOP, "bar", 100)
    again = train_arm(ClaimContext(tier="full", device="cpu"), learned_arms.LAPTOP, "bar", 100)
    network = trained(context, learned_arms.LAPTOP, "bar", 100)
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(arm[f"weights/{name}"], value.numpy())
        np.testing.assert_array_equal(again[f"weights/{name}"], value.numpy())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert arm["curve"].shape == (4, 2)


@pytest.mark.usefixtures("small_learned_toy")
def test_forms_and_objectives_are_arms_of_their_own(context):
    direct = learned_arms.LAPTOP
    for config in (direct, form_of(direct, "l2"), replace(direct, objective="distill")):
        train_arm(context, config, "bar", 100)
    names = {name for _, name, _ in context.shared_arms}
    expected = {"dae", "l2", "score", "dae, distilled"}  # the score network is the distilled one's teacher
    assert names == {f"toy network/bar/{name}/4 steps" for name in expected}
    weights = [trained(context, config, "bar", 100) for config in (direct, replace(direct, objective="distill"))]
    assert not torch.equal(weights[0].mlp.layer_in.weight, weights[1].mlp.layer_in.weight)


@pytest.mark.usefixtures("small_learned_toy")
def test_score_networks_are_corrected_by_line_integrals(context):
    arm = draw_arm(context, form_of(learned_arms.LAPTOP, "score"), "product", "hmc", 100)
    # One move of three leapfrog steps and one point between the ends, and the first evaluation, at each of 8 levels.
    assert arm["gradient evaluations"] == 8 * (3 + 1 + 1)
    assert "acceptance" in arm


@pytest.mark.usefixtures("small_learned_toy")
def test_exact_predictions_are_a_floor(context):
    exact = exact_arm(context, learned_arms.LAPTOP, "ring", 100)
    network = train_arm(context, learned_arms.LAPTOP, "ring", 100)
    assert exact["loss"] < network["loss"]
    assert exact["ELBO"] > network["ELBO"]


@pytest.mark.usefixtures("small_learned_toy")
def test_suite_arms_know_their_task(context):
    assert "accuracy" in suite_arm(context, learned_arms.LAPTOP, SUITE["mixture-b"], "ula", 100)
    empty = suite_arm(context, learned_arms.LAPTOP, SUITE["product-c"], "ula", 100)
    assert "accuracy" not in empty
    assert empty["samples"].shape == (20, 2)
