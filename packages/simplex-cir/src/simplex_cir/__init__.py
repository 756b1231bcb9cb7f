"""Categorical SDEs with Simplex Diffusion (Pierre H. Richemond, Sander Dieleman, Arnaud Doucet, 2022)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["LearnedConfig", "ModelConfig", "OracleConfig"],
        "presets": ["PRESETS"],
        "process.cir": ["CIR", "noise_tokens", "transition_log_prob", "transition_sample"],
        "process.bridge": ["bridge_sample"],
        "diffusion.snr": ["snr_grid"],
        "diffusion.posterior": ["log_posterior", "scaled_score"],
        "diffusion.priors": ["IndependentPrior", "MarkovPrior", "TablePrior"],
        "diffusion.reverse": ["ancestral", "reverse_sde"],
        "diffusion.probability_flow": ["log_density", "probability_flow"],
        "diffusion.likelihood": ["bound"],
        "diffusion.snr_sampling": ["SnrDistribution"],
        "diffusion.rank_law": ["RankLaw"],
        "models.denoiser": ["SimplexDenoiser"],
        "sampling": ["draw"],
        "training": ["train"],
    },
)
