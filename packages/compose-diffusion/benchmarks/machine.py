"""What a benchmark says about where it ran, and how it prints its rows."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "jax", "blackjax", "torchebm", "numpy")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, operating system, versions; and the load, for a busy machine's times say little."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def ratio_table(rows: Sequence[dict[str, Any]], samplers: Sequence[str]) -> str:
    """Markdown: rates in millions a second, with ratios of the eager and the compiled rate to the peers'."""
    by_case: dict[tuple[int, str, int], dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_case.setdefault((row["threads"], row["dtype"], row["chains"]), {})[row["sampler"]] = row
    names = ["threads", "precision", "chains", *samplers]
    peers = [sampler for sampler in samplers if sampler not in ("eager", "compiled")]
    names += [f"{mine} / {peer}" for mine in ("eager", "compiled") for peer in peers]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for (threads, dtype, chains), found in by_case.items():
        rates = {sampler: found[sampler]["rate"] for sampler in samplers}
        cells = [str(threads), dtype, f"{chains:,}", *(f"{rates[sampler] / 1e6:.2f}" for sampler in samplers)]
        cells += [f"{rates[mine] / rates[peer]:.2f}" for mine in ("eager", "compiled") for peer in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
