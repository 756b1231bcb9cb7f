"""General-purpose, long-context autoregressive modeling with Perceiver AR (Hawthorne, Jaegle et al., ICML 2022)."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so that importing the package is light.
_EXPORTS = {
    "PRESETS": "config",
    "DataConfig": "dataset_options",
    "ExperimentConfig": "config",
    "ModelConfig": "config",
    "SamplingOptions": "config",
    "offset_causal": "attention",
    "attend_by_index": "attention",
    "merge": "attention",
    "image_coordinates": "positions",
    "PerceiverAR": "model",
    "sequence_loss": "model",
    "parameter_count": "model",
    "official_parameter_count": "model",
    "AdaptiveEmbedding": "embeddings",
    "plain_decoder": "transformer",
    "TransformerXLConfig": "config",
    "TransformerXL": "transformer_xl",
    "read_official": "official_weights",
    "convert_official": "official_weights",
    "MeshAccelerator": "sharding",
    "ShardedPerceiverAR": "sharding",
    "Sampler": "generation",
    "score": "evaluation",
    "bits_per_byte": "evaluation",
    "bits_per_dim": "evaluation",
    "word_perplexity": "evaluation",
    "Note": "events",
    "encode": "events",
    "decode": "events",
    "mirrored": "copying",
    "novel": "text",
    "read_midi": "midi",
    "midi_bytes": "midi",
    "load": "datasets",
    "open_network": "weights",
    "train": "training",
    "judge": "judging",
}

__all__ = ["__version__", *_EXPORTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"perceiver_ar.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'perceiver_ar' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
