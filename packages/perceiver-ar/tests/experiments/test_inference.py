"""The measuring functions, small: what they compute is tested where it lives."""

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.claims import ClaimContext, Verdict

from perceiver_ar.claims import CLAIMS
from perceiver_ar.config import SOS, ModelConfig
from perceiver_ar.data.text import ByteText, novel
from perceiver_ar.experiments import inference as experiments
from perceiver_ar.experiments.inference import excerpt, slope, step_seconds


def test_excerpts_are_of_the_held_out_novel() -> None:
    tokens = excerpt(3, 200)
    assert (tokens[0], len(tokens)) == (SOS, 201)
    assert ByteText().decode(tokens).strip("\N{REPLACEMENT CHARACTER}") in novel("persuasion")
    assert (excerpt(4, 200) != tokens).any()


def test_slopes_are_exponents() -> None:
    x = np.array([1.0, 2.0, 8.0])
    assert slope(x, 3 * x**1.7) == pytest.approx(1.7)


def test_the_first_call_does_not_count() -> None:
    calls = []
    assert len(step_seconds(lambda x: calls.append(x) or x, (jnp.zeros(1),), 3)) == 3
    assert len(calls) == 4


@pytest.mark.parametrize("name", ["copy_accuracy_by_distance", "parameter_counts"])
def test_measurements_bear_the_names_that_rules_ask_for(name: str) -> None:
    evidence = getattr(experiments, name)(ClaimContext(seeds=(100, 101, 102)))
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    assert claims
    for claim in claims:
        assert claim.rule.decide(evidence).verdict == Verdict.REPRODUCED


def test_cost_of_context_bears_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Compiled:
        temp_size_in_bytes = 2**20

        def memory_analysis(self) -> "Compiled":
            return self

    asked: list[ModelConfig] = []
    monkeypatch.setattr(experiments, "compiled_gradient", lambda config: (asked.append(config) or Compiled(), ()))
    monkeypatch.setattr(
        experiments,
        "step_seconds",
        lambda run, arguments, times: [asked[-1].num_latents ** 2 / 1e6 + asked[-1].context_length / 1e6] * times,
    )
    evidence = experiments.cost_of_context(ClaimContext(seeds=(0, 1, 2)))
    (claim,) = [claim for claim in CLAIMS if claim.id == "C3"]
    claim.rule.decide(evidence)
    assert evidence.measurement("slope of time, decoder").mean == pytest.approx(2, abs=0.01)
    assert [config.num_latents for config in asked[1::2]] == [config.context_length for config in asked[1::2]]
