"""The measurement gives what the rule of C10 names, at a size where it takes seconds."""

from dataclasses import replace

from onepaper.claims import ClaimContext

from compose_diffusion.claims import CLAIMS
from compose_diffusion.digits import experiments
from compose_diffusion.digits.config import GuidanceConfig


def test_evidence_has_what_the_rule_reads(monkeypatch):
    few = GuidanceConfig(num_images=30, mcmc=replace(GuidanceConfig().mcmc, first_level=5))
    monkeypatch.setattr(experiments, "GuidanceConfig", lambda: few)
    (claim,) = [claim for claim in CLAIMS if claim.measure.startswith("compose_diffusion.digits.experiments")]
    evidence, judgement = claim.run(ClaimContext(seeds=(100,)))
    assert "30 images each" in evidence.headline
    assert judgement.verdict == "inconclusive", "one seed decides nothing"
