from onepaper.claims import ClaimContext, ImageGrid

from compose_diffusion.config.reuse import CompositionConfig
from compose_diffusion.evaluation.reused_models import ARMS, MEASURES
from compose_diffusion.experiments import reuse as experiments


def test_evidence_holds_every_arm_and_measure(monkeypatch):
    monkeypatch.setattr(experiments, "CompositionConfig", lambda: CompositionConfig(num_images=4, num_levels=4))
    evidence = experiments.reused_models(ClaimContext(seeds=(100, 101)))
    assert len(evidence.measured) == len(ARMS) * len(MEASURES)
    assert evidence.measurement("both attributes, A & B, reverse + ULA").seeds == (100, 101)
    grids = [artifact for artifact in evidence.artifacts if isinstance(artifact, ImageGrid)]
    assert [grid.title for grid in grids] == list(experiments.LABELS.values())
    assert "(2 x 4 images each" in evidence.headline
