"""Peers of the benchmarks, and processes in which methods alternate."""

import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from onepaper.benchmark import alternate, single_threaded

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "diffrax", "torch", "torchsde", "QuantLib")


def available(module: str) -> bool:
    """Whether a peer is installed; prints a message where it is not."""
    found = importlib.util.find_spec(module) is not None
    if not found:
        print(f"{module} is not installed and is left out (pip install 'onepaper-simplex-cir[bench]')", file=sys.stderr)
    return found


def measure_all(
    script: str, contestants: Sequence[str], rounds: int, words: Sequence[str] = ()
) -> dict[str, list[dict[str, float]]]:
    """What `script --contestant NAME` prints, by name and round; programs are compiled in the first round only."""
    with tempfile.TemporaryDirectory() as cache:
        cases = {name: ["--contestant", name, *words] for name in contestants}
        return alternate(script, cases, rounds, single_threaded(Path(cache)))
