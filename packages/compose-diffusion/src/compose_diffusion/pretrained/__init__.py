"""Models trained by others: diffusers pipelines and published checkpoints."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562): published checkpoints do not need diffusers, whose import takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"adapters": ["from_diffusers"]})
