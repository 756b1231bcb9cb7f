"""Scaling of time with leaves, levels and MCMC steps per level, and memory of a chain.

    python bench_scaling.py [--quick] [--rounds N] [--output scaling.json]

Exponents are slopes of log time over log size, of medians over rounds that visit all sizes in turn; 1 is linear. Memory
is the growth of the process's peak from 20,000 to 220,000 chains, divided by the difference, in a process of its own.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from onepaper.benchmark import log_slope, peak_bytes, run_script, write_result

from compose_diffusion.algebra.composition import Expression, product
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import bar, ring
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.samplers.compilation import compiled
from compose_diffusion.samplers.samplers import draw

PACKAGES = ("torch", "numpy")
SIZES = {"leaves": (1, 2, 4, 8), "levels": (5, 10, 20, 40), "moves per level": (2, 4, 8, 16)}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def run(num_chains: int, leaves: int = 2, levels: int = 10, moves: int = 4, *, compile_it: bool = False) -> None:
    """Annealed HMC on a product of rings (one leaf is a ring, two are as costly as two, and so on)."""
    schedule = cosine_schedule(levels)
    expression: Expression = product(*[ExactLeaf(ring(), schedule) for _ in range(leaves)])
    expression = compiled(expression) if compile_it else expression
    options = SamplerOptions(steps_per_level=moves)
    draw(expression, schedule, (num_chains, 2), options, torch.Generator().manual_seed(100))


def exponents(num_chains: int, rounds: int, clock: str) -> list[dict[str, Any]]:
    """For leaves, levels and MCMC steps: median seconds at each size and the slope in log-log."""
    cases: dict[str, Callable[[int], None]] = {
        "leaves": lambda size: run(num_chains, leaves=size),
        "levels": lambda size: run(num_chains, levels=size),
        "moves per level": lambda size: run(num_chains, moves=size),
    }
    seconds: dict[tuple[str, int], list[float]] = {}
    run(num_chains)
    for _ in range(rounds):
        for name, sizes in SIZES.items():
            for size in sizes:
                begun = CLOCKS[clock]()
                cases[name](size)
                seconds.setdefault((name, size), []).append(CLOCKS[clock]() - begun)
    rows = []
    for name, sizes in SIZES.items():
        medians = [statistics.median(seconds[name, size]) for size in sizes]
        rows.append({"varied": name, "sizes": sizes, "seconds": medians, "exponent": log_slope(sizes, medians)})
    return rows


def memory_per_chain(compile_it: bool) -> float:
    """Bytes of peak memory that one more chain takes, on the product of ring and bar."""
    schedule = cosine_schedule(2)
    expression: Expression = ExactLeaf(ring(), schedule) & ExactLeaf(bar(), schedule)
    peaks = []
    for num_chains in (20_000, 220_000):
        chosen = compiled(expression) if compile_it else expression
        draw(chosen, schedule, (num_chains, 2), SamplerOptions(), torch.Generator().manual_seed(100))
        peaks.append(peak_bytes())
    return (peaks[1] - peaks[0]) / 200_000


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of fewer chains")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chains", type=int, default=20_000)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: on a shared machine")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--memory", choices=("eager", "compiled"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        print(memory_per_chain(options.memory == "compiled"))
        return
    if options.quick:
        options.chains, options.rounds = 5000, 1
    rows = exponents(options.chains, options.rounds, options.clock)
    memory = {
        kind: run_script(__file__, ["--memory", kind], {"OMP_NUM_THREADS": "1"}) for kind in ("eager", "compiled")
    }
    result = {"chains": options.chains, "threads": 1, "rows": rows, "peak_bytes_per_chain": memory}
    write_result(options.output, result, PACKAGES)
    print("| varied | sizes | seconds | exponent |\n|---|---|---|---|")
    for row in rows:
        seconds = ", ".join(f"{each:.2f}" for each in row["seconds"])
        print(f"| {row['varied']} | {', '.join(map(str, row['sizes']))} | {seconds} | {row['exponent']:.2f} |")
    print("\npeak memory of a chain: " + ", ".join(f"{kind} {each:,.0f} bytes" for kind, each in memory.items()))


if __name__ == "__main__":
    main()
