"""onepaper: shared infrastructure of paper packages. It imports no paper package, and no framework by itself."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that `import onepaper` stays light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["OnePaperError", "UsageError"],
        "paper": ["Paper", "Preset", "Verb"],
        "runs": ["Run"],
        "claims": ["Claim", "Evidence", "Measurement"],
    },
)
