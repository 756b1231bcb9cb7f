"""Reduce, Reuse, Recycle: compositional generation with energy-based diffusion models and MCMC (Du et al., 2023)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so `import compose_diffusion` is light.
_EXPORTS = {
    "PRESETS": "config",
    "SamplerOptions": "sampler_options",
    "NoiseSchedule": "diffusion",
    "cosine_schedule": "diffusion",
    "linear_schedule": "diffusion",
    "GaussianMixture": "distributions",
    "UniformBox": "distributions",
    "ClassifierLeaf": "leaves",
    "EnergyLeaf": "leaves",
    "ExactLeaf": "leaves",
    "PredictionLeaf": "leaves",
    "classifier_guidance": "composition",
    "guidance": "composition",
    "mixture": "composition",
    "negation": "composition",
    "product": "composition",
    "Leaf": "composition",
    "parse": "language",
    "build": "language",
    "from_diffusers": "pretrained.adapters",
    "PipelineSource": "pretrained.source",
    "CheckpointSource": "pretrained.checkpoint_source",
    "open_checkpoint": "pretrained.checkpoints",
    "load_guided_diffusion": "pretrained.checkpoints",
    "UNetConfig": "pretrained.architectures",
    "draw": "samplers",
    "warm_up_step_sizes": "warm_up",
    "warm_up_preconditioners": "warm_up",
    "sweep_step_sizes": "step_sweep",
    "DiagonalPreconditioner": "preconditioning",
    "CovariancePreconditioner": "preconditioning",
    "estimate_log_normalisers": "calibration",
    "calibrated_log_weights": "calibration",
    "Tapestry": "tapestry",
    "ToyEnergy": "toy.networks",
    "ToyScore": "toy.networks",
    "compiled": "compiled",
    "CompiledExpression": "compiled",
    "Denoiser": "digits.model",
    "NoisyClassifier": "digits.model",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"compose_diffusion.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'compose_diffusion' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
