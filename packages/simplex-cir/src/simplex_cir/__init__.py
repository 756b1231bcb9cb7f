"""Categorical SDEs with Simplex Diffusion (Pierre H. Richemond, Sander Dieleman, Arnaud Doucet, 2022)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so that importing the package is light.
_EXPORTS = {
    "PRESETS": "config",
    "LearnedConfig": "config",
    "ModelConfig": "config",
    "OracleConfig": "config",
    "CIR": "process",
    "noise_tokens": "process",
    "transition_log_prob": "process",
    "transition_sample": "process",
    "bridge_sample": "bridge",
    "snr_grid": "snr",
    "log_posterior": "posterior",
    "scaled_score": "posterior",
    "IndependentPrior": "priors",
    "MarkovPrior": "priors",
    "TablePrior": "priors",
    "ancestral": "reverse",
    "reverse_sde": "reverse",
    "probability_flow": "flow",
    "log_density": "flow",
    "bound": "likelihood",
    "SnrLaw": "snr_law",
    "RankLaw": "rank_law",
    "SimplexDenoiser": "model",
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
