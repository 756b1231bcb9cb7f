"""Categorical SDEs with Simplex Diffusion (Pierre H. Richemond, Sander Dieleman, Arnaud Doucet, 2022)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so that importing the package is light.
_EXPORTS = {
    "PRESETS": "presets",
    "LearnedConfig": "config",
    "ModelConfig": "config",
    "OracleConfig": "config",
    "CIR": "process.cir",
    "noise_tokens": "process.cir",
    "transition_log_prob": "process.cir",
    "transition_sample": "process.cir",
    "bridge_sample": "process.bridge",
    "snr_grid": "diffusion.snr",
    "log_posterior": "diffusion.posterior",
    "scaled_score": "diffusion.posterior",
    "IndependentPrior": "diffusion.priors",
    "MarkovPrior": "diffusion.priors",
    "TablePrior": "diffusion.priors",
    "ancestral": "diffusion.reverse",
    "reverse_sde": "diffusion.reverse",
    "probability_flow": "diffusion.probability_flow",
    "log_density": "diffusion.probability_flow",
    "bound": "diffusion.likelihood",
    "SnrDistribution": "diffusion.snr_sampling",
    "RankLaw": "diffusion.rank_law",
    "SimplexDenoiser": "models.denoiser",
    "train": "training",
    "draw": "sampling",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"simplex_cir.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'simplex_cir' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
