"""Continuous diffusion for categorical data (Dieleman et al., 2022)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": [
            "ExperimentConfig",
            "ModelConfig",
            "SamplingOptions",
            "TranslationConfig",
            "TranslationExperiment",
            "WarpConfig",
        ],
        "presets": ["PRESETS"],
        "time_warping.warp": ["TimeWarp", "WarpLogits", "initial_logits", "make_warp"],
        "time_warping.fit": ["fit_loss"],
        "diffusion.bayes": ["independent_denoiser", "sequence_denoiser"],
        "diffusion.embeddings": ["normalize"],
        "diffusion.noise_range": ["noise_range"],
        "diffusion.samplers": ["sample"],
        "diffusion.score": ["interpolated_score"],
        "diffusion.times": ["step_times"],
        "data.documents": ["speeches"],
        "data.parallel": ["verses"],
        "models.autoregressive": ["AutoregressiveLM"],
        "models.denoiser": ["CategoricalDiffusion"],
        "models.causal_translation": ["CausalTranslator"],
        "models.translation": ["TranslationDiffusion"],
        "pretrained.networks": ["open_network", "save_network"],
        "evaluation.evaluators": ["Evaluators"],
        "evaluation.translations": ["corpus_bleu", "least_risk"],
        "pretrained.translators": ["open_translator", "save_translator"],
        "sampling": ["Sampler"],
        "training": ["train", "train_autoregressive"],
        "translation.decoding": ["Translator"],
        "translation.training": ["train_causal_translation", "train_translation"],
    },
)
