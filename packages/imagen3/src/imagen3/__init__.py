"""Imagen 3 (Imagen 3 Team, Google, 2024)."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["DenoiserConfig", "SamplingOptions", "SystemConfig"],
        "presets": ["PRESETS"],
        "models.autoencoder": ["Autoencoder"],
        "models.mmdit": ["MMDiT"],
        "models.networks": ["build_denoiser", "open_network"],
        "pretrained.upsamplers": ["open_upsampler"],
        "pretrained.systems": ["System", "open_system", "save_system"],
        "sampling": ["generate"],
        "training.recipe": ["train_system"],
        "upsampling": ["upsample"],
    },
)
