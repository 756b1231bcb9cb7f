"""Reduce, Reuse, Recycle: compositional generation with energy-based diffusion models and MCMC (Du et al., 2023)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), which keeps the start fast.
# No name here may be that of a module of this package: importing the module would replace the attribute.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config.guided_diffusion": ["UNetConfig"],
        "config.samplers": ["SamplerOptions"],
        "presets": ["PRESETS"],
        "diffusion": ["NoiseSchedule", "cosine_schedule", "linear_schedule"],
        "data.distributions": ["GaussianMixture", "UniformBox"],
        "algebra.composition": ["Leaf", "classifier_guidance", "guidance", "mixture", "negation", "product"],
        "algebra.leaves": ["ClassifierLeaf", "EnergyLeaf", "ExactLeaf", "PredictionLeaf"],
        "algebra.language": ["build", "parse"],
        "algebra.calibration": ["calibrated_log_weights", "estimate_log_normalisers"],
        "algebra.tapestry": ["Tapestry"],
        "mcmc.preconditioning": ["CovariancePreconditioner", "DiagonalPreconditioner"],
        "mcmc.adaptation": ["warm_up_preconditioners", "warm_up_step_sizes"],
        "samplers.samplers": ["draw"],
        "samplers.compilation": ["CompiledExpression", "compiled"],
        "samplers.step_sweep": ["sweep_step_sizes"],
        "models.digits": ["Denoiser", "DigitModels", "NoisyClassifier"],
        "models.positions": ["PositionModels"],
        "models.toy": ["ToyEnergy", "ToyScore"],
        "pretrained.adapters": ["from_diffusers"],
        "pretrained.checkpoints": ["open_checkpoint"],
        "sources.checkpoints": ["CheckpointSource"],
        "sources.pipelines": ["PipelineSource"],
    },
)
