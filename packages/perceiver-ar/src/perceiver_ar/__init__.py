"""General-purpose, long-context autoregressive modeling with Perceiver AR (Hawthorne, Jaegle et al., ICML 2022)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["DataConfig", "ExperimentConfig", "ModelConfig", "SamplingOptions", "TransformerXLConfig"],
        "presets": ["PRESETS"],
        "data.copy_task": ["mirrored"],
        "data.datasets": ["load"],
        "data.events": ["Note", "decode", "encode"],
        "data.images": ["image_coordinates"],
        "data.midi": ["midi_bytes", "read_midi"],
        "data.text": ["novel"],
        "models.attention": ["attend_by_index", "merge", "offset_causal"],
        "models.counts": ["official_parameter_count", "parameter_count"],
        "models.decoder": ["plain_decoder"],
        "models.embeddings": ["AdaptiveEmbedding"],
        "models.losses": ["sequence_loss"],
        "models.perceiver_ar": ["PerceiverAR"],
        "models.transformer_xl": ["TransformerXL"],
        "pretrained.checkpoints": ["open_network"],
        "pretrained.official": ["convert_official", "read_official"],
        "generation.decode": ["Sampler"],
        "evaluation.documents": ["evaluate_documents"],
        "evaluation.scoring": ["score"],
        "evaluation.units": ["bits_per_byte", "bits_per_dim", "word_perplexity"],
        "parallel": ["MeshAccelerator", "ShardedPerceiverAR"],
        "training": ["train"],
    },
)
