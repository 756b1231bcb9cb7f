"""Models trained by others: diffusers pipelines and published checkpoints."""

import importlib
from typing import Any

# Imported on first use (PEP 562): published checkpoints do not need diffusers, whose import takes seconds.
_EXPORTS = {"from_diffusers": "adapters"}

__all__ = [*_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"compose_diffusion.pretrained.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'compose_diffusion.pretrained' has no attribute '{name}'")
