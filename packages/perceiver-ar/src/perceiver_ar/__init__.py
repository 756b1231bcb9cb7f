"""General-purpose, long-context autoregressive modeling with Perceiver AR (Hawthorne, Jaegle et al., ICML 2022)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so that importing the package is light.
_EXPORTS = {
    "PRESETS": "presets",
    "DataConfig": "config",
    "ExperimentConfig": "config",
    "ModelConfig": "config",
    "SamplingOptions": "config",
    "offset_causal": "models.attention",
    "attend_by_index": "models.attention",
    "merge": "models.attention",
    "image_coordinates": "data.images",
    "PerceiverAR": "models.perceiver_ar",
    "sequence_loss": "models.losses",
    "parameter_count": "models.counts",
    "official_parameter_count": "models.counts",
    "AdaptiveEmbedding": "models.embeddings",
    "plain_decoder": "models.decoder",
    "TransformerXLConfig": "config",
    "TransformerXL": "models.transformer_xl",
    "read_official": "pretrained.official",
    "convert_official": "pretrained.official",
    "MeshAccelerator": "parallel",
    "ShardedPerceiverAR": "parallel",
    "Sampler": "generation.decode",
    "score": "evaluation.scoring",
    "bits_per_byte": "evaluation.units",
    "bits_per_dim": "evaluation.units",
    "word_perplexity": "evaluation.units",
    "Note": "data.events",
    "encode": "data.events",
    "decode": "data.events",
    "mirrored": "data.copy_task",
    "novel": "data.text",
    "read_midi": "data.midi",
    "midi_bytes": "data.midi",
    "load": "data.datasets",
    "open_network": "pretrained.checkpoints",
    "train": "training",
    "evaluate_documents": "evaluation.documents",
}

__all__ = ["__version__", *_EXPORTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"perceiver_ar.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'perceiver_ar' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
