"""Self-conditioned embedding diffusion for text generation (Strudel et al., 2022)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ExperimentConfig", "ModelConfig", "SamplingOptions", "ScheduleConfig"],
        "presets": ["PRESETS"],
        "data.documents": ["chapters"],
        "data.word_vectors": ["count_vectors"],
        "diffusion.bayes": ["independent_denoiser", "sequence_denoiser"],
        "diffusion.embeddings": ["import_table", "normalize_rows", "random_table"],
        "diffusion.neighbours": ["forward_walk"],
        "diffusion.samplers": ["sample", "step_table"],
        "diffusion.schedule": ["Schedule"],
        "diffusion.spans": ["sample_mask", "task_mask"],
        "models.autoregressive": ["AutoregressiveLM"],
        "models.denoiser": ["EmbeddingDiffusion"],
        "models.masked": ["MaskedLM"],
        "pretrained.networks": ["open_network", "save_network"],
        "evaluation.evaluators": ["Evaluators"],
        "evaluation.held_out": ["denoising_curve"],
        "sampling": ["Sampler"],
        "training": ["train", "train_autoregressive", "train_masked"],
    },
)
