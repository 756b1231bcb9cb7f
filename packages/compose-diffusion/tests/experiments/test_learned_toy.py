"""Every measurement runs, on networks too small to be good, and gives what its rule names."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from compose_diffusion.experiments import learned_toy as experiments

RULES = {
    "energies_train_like_scores": ("loss, energy / score", "ELBO, energy", "ELBO, score"),
    "three_energy_forms": ("excess loss, dae", "excess loss, l2", "excess loss, dot", "HMC accuracy, dae"),
    "samplers_on_a_learned_product": ("HMC accuracy", "U-HMC accuracy", "ULA accuracy", "reverse accuracy"),
    "samplers_on_a_learned_mixture": ("HMC inside", "reverse inside"),
    "samplers_on_a_learned_negation": ("HMC inside", "MALA inside"),
    "distilled_energies": ("HMC accuracy, distilled", "HMC accuracy, direct"),
    "nine_tasks": ("products, HMC", "products, reverse", "mixtures, reverse", "negations, ULA"),
}


@pytest.fixture(scope="module")
def shared_arms():
    return {}


@pytest.mark.usefixtures("small_learned_toy")
@pytest.mark.parametrize("name", RULES)
def test_evidence_has_what_the_rule_reads(name, shared_arms):
    context = ClaimContext(tier="full", seeds=(100,), device="cpu", shared_arms=shared_arms)
    evidence = getattr(experiments, name)(context)
    assert evidence.headline
    assert evidence.artifacts
    for measured in RULES[name]:
        assert np.isfinite(evidence.measurement(measured).mean)


@pytest.mark.usefixtures("small_learned_toy")
def test_averages_are_over_components_and_ratios_of_averages(shared_arms):
    context = ClaimContext(tier="full", seeds=(100,), device="cpu", shared_arms=shared_arms)
    evidence = experiments.energies_train_like_scores(context)
    losses = {
        form: [
            value["loss"]
            for (_, name, seed), (value, _) in shared_arms.items()
            if name.startswith("toy network/") and name.endswith(f"/{form}/4 steps") and seed == 100
        ]
        for form in ("dae", "score")
    }
    assert [len(values) for values in losses.values()] == [6, 6]
    ratio = np.mean(losses["dae"]) / np.mean(losses["score"])
    assert evidence.measurement("loss, energy / score").mean == pytest.approx(ratio)
    assert evidence.measurement("loss, score").mean == pytest.approx(np.mean(losses["score"]))
