"""What a benchmark says about where it ran, and how it prints its rows."""

import os
from collections.abc import Sequence
from typing import Any

from onepaper.runs import environment, hardware

PACKAGES = ("torch", "jax", "blackjax", "torchebm", "numpy")


def describe_machine() -> dict[str, Any]:
    """Hardware and versions; and the load, for a busy machine's times say little."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {**hardware(), "load_average": load, "versions": environment(PACKAGES)}


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
