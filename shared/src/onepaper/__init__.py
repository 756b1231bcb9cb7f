"""onepaper: the shared house of ten research papers. It knows no paper and loads no framework by itself."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that defines it; resolved on first use (PEP 562), so `import onepaper` stays light.
_EXPORTS = {
    "OnePaperError": "onepaper.errors",
    "UsageError": "onepaper.errors",
    "Paper": "onepaper.paper",
    "Preset": "onepaper.paper",
    "Verb": "onepaper.paper",
    "Run": "onepaper.runs",
    "Claim": "onepaper.claims",
    "Evidence": "onepaper.claims",
    "Measurement": "onepaper.claims",
}

__all__ = ["__version__", *_EXPORTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'onepaper' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
