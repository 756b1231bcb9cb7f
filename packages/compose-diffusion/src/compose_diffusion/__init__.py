"""Reduce, Reuse, Recycle: compositional generation with energy-based diffusion models and MCMC (Du et al., 2023)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; imported on first use (PEP 562), which keeps the start fast.
# No name here may be that of a module of this package: importing the module would replace the attribute.
_EXPORTS = {
    "PRESETS": "presets",
    "SamplerOptions": "config.samplers",
    "NoiseSchedule": "diffusion",
    "cosine_schedule": "diffusion",
    "linear_schedule": "diffusion",
    "GaussianMixture": "data.distributions",
    "UniformBox": "data.distributions",
    "ClassifierLeaf": "algebra.leaves",
    "EnergyLeaf": "algebra.leaves",
    "ExactLeaf": "algebra.leaves",
    "PredictionLeaf": "algebra.leaves",
    "classifier_guidance": "algebra.composition",
    "guidance": "algebra.composition",
    "mixture": "algebra.composition",
    "negation": "algebra.composition",
    "product": "algebra.composition",
    "Leaf": "algebra.composition",
    "parse": "algebra.language",
    "build": "algebra.language",
    "from_diffusers": "pretrained.adapters",
    "PipelineSource": "sources.pipelines",
    "CheckpointSource": "sources.checkpoints",
    "open_checkpoint": "pretrained.checkpoints",
    "UNetConfig": "config.guided_diffusion",
    "draw": "samplers.samplers",
    "warm_up_step_sizes": "mcmc.adaptation",
    "warm_up_preconditioners": "mcmc.adaptation",
    "sweep_step_sizes": "samplers.step_sweep",
    "DiagonalPreconditioner": "mcmc.preconditioning",
    "CovariancePreconditioner": "mcmc.preconditioning",
    "estimate_log_normalisers": "algebra.calibration",
    "calibrated_log_weights": "algebra.calibration",
    "Tapestry": "algebra.tapestry",
    "ToyEnergy": "models.toy",
    "ToyScore": "models.toy",
    "compiled": "samplers.compilation",
    "CompiledExpression": "samplers.compilation",
    "Denoiser": "models.digits",
    "NoisyClassifier": "models.digits",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"compose_diffusion.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'compose_diffusion' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
