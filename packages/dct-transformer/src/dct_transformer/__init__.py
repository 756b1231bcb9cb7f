"""Generating images with sparse representations (Nash et al., 2021)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ChunkConfig", "CodecConfig", "ExperimentConfig", "ModelConfig", "SamplingOptions"],
        "presets": ["PRESETS"],
        "representation.codec": ["decode", "encode", "requantize"],
        "representation.dct_image": ["DctImage", "from_pixels", "psnr", "to_pixels"],
        "representation.triples": ["Layout", "Triples", "image_to_triples", "pack", "unpack"],
        "data.images": ["photographs"],
        "data.jpeg_files": ["read_jpeg", "write_jpeg"],
        "models.counts": ["CountModel"],
        "models.dct_transformer": ["DCTransformer"],
        "pretrained.networks": ["open_network", "save_network"],
        "evaluation.exact_likelihood": ["likelihood"],
        "sampling": ["draw_images", "sample"],
        "training": ["train"],
    },
)
