"""The measurement gives what the rule of C10 names, of networks too small to be good."""

from functools import partial

from onepaper.claims import ClaimContext

from compose_diffusion.claims import CLAIMS
from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig, GuidanceConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.experiments import digits as experiments
from compose_diffusion.models.digits import Denoiser, DigitModels, NoisyClassifier


def test_evidence_has_what_the_rule_reads(monkeypatch, tmp_path):
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(tmp_path / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(tmp_path / "classifier")
    models = DigitModels.from_pretrained(tmp_path)
    monkeypatch.setattr(experiments, "guidance_accuracy", partial(experiments.guidance_accuracy, models=models))
    monkeypatch.setattr(experiments, "GuidanceConfig", lambda: GuidanceConfig(num_images=30))
    (claim,) = [claim for claim in CLAIMS if claim.measure.startswith("compose_diffusion.experiments.digits")]
    evidence, outcome = claim.run(ClaimContext(seeds=(100,)))
    assert "30 images each" in evidence.headline
    assert outcome.verdict == "inconclusive", "one seed decides nothing"
