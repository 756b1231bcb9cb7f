"""Comparisons of the two autoencoders run on tiny models, and read the names that the rules decide on."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from slowae_rlt.claims import CLAIMS
from slowae_rlt.codec_comparison import Coded
from slowae_rlt.data.prompts import Prompt
from slowae_rlt.experiments import codecs
from slowae_rlt.presets import PRESETS


@pytest.mark.slow
def test_measured_names_are_those_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both claims rest on the same networks, which are trained once."""
    pytest.importorskip("pocketsphinx")
    for constant, preset in (("SLOW", "smoke"), ("FIXED", "smoke-vq")):
        config = PRESETS[preset].config
        monkeypatch.setattr(codecs, constant, replace(config, loop=replace(config.loop, steps=2)))
    prompts = codecs.held_out()[:2]
    monkeypatch.setattr(codecs, "held_out", lambda: prompts)
    context = ClaimContext(tier="retrain", seeds=(0,))
    for name in ("phones_of_both", "rate_and_distortion"):
        (claim,) = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
        evidence, decision = claim.run(context)
        assert decision.reason
        assert len(evidence.measured) == 2
        monkeypatch.setattr(codecs, "train", lambda *_, **__: pytest.fail("trained again"))


def test_phone_accuracy(monkeypatch: pytest.MonkeyPatch, speech: np.ndarray) -> None:
    """One of four phones of the decoded speech is wrong."""
    heard = iter([["a", "b", "c", "d"], ["a", "x", "c", "d"]])
    monkeypatch.setattr(codecs, "recognize_phones", lambda samples, rate: next(heard))
    prompts = [Prompt("one", speech, np.ones(0, bool))]
    assert codecs.phone_accuracy(lambda samples: Coded(samples, 1.0), prompts) == 75.0
