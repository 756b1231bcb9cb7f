"""HMC speed against blackjax and torchebm: the same density, chains, step size and leapfrog steps, process by process.

    python bench_samplers.py [--quick] [--rounds N] [--output samplers.json]
    python bench_samplers.py --profile          # what bounds a move: torch.profiler, eager and compiled

The density is the toy's product of ring and bar at level 50 of 100. A round runs every sampler once, each in a process
of its own pinned to as many cores as it has threads; a rate is the median over rounds of chains * MCMC steps * leapfrog
steps / second, so gradients that a sampler computes twice do not count twice.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onepaper.benchmark import pin, run_script, write_result

PACKAGES = ("torch", "jax", "blackjax", "torchebm", "numpy")
STEP_SIZE, NUM_LEAPFROG, LEVEL, NUM_LEVELS = 0.03, 3, 50, 100
SAMPLERS = ("eager", "compiled", "blackjax", "torchebm", "torchebm-analytic")
DTYPES = ("float32", "float64")
# (chains, precision) -> a function that runs a given number of MCMC steps of all chains.
Maker = Callable[[int, str], Callable[[int], Any]]


def ours(compile_expression: bool) -> Maker:
    """Our MCMC steps at one level, on our expression."""
    import torch

    from compose_diffusion.config.samplers import SamplerOptions
    from compose_diffusion.mcmc.level_steps import run_steps
    from compose_diffusion.samplers.compilation import compiled

    target = (compiled(_expression()) if compile_expression else _expression()).target(LEVEL)

    def make(num_chains: int, dtype: str) -> Callable[[int], Any]:
        generator = torch.Generator().manual_seed(100)
        x = torch.randn(num_chains, 2, generator=generator, dtype=getattr(torch, dtype))

        def run(num_moves: int) -> None:
            options = SamplerOptions(
                kernel="hmc", steps_per_level=num_moves, num_leapfrog=NUM_LEAPFROG, damping=0.0, momentum="per-level"
            )
            run_steps(target, x, None, options, STEP_SIZE, None, generator)

        return run

    return make


def blackjax() -> Maker:
    """blackjax's HMC, chains by vmap, steps by scan, under jit; every number of steps is compiled before timing."""
    import blackjax as peer
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import log_ndtr, logsumexp

    jax.config.update("jax_enable_x64", True)
    alpha_bar, means, low = _density()

    def make(num_chains: int, dtype: str) -> Callable[[int], Any]:
        centres, half = jnp.asarray(means, dtype), -jnp.asarray(low, dtype)
        variance, sigma = alpha_bar * 0.03**2 + 1 - alpha_bar, math.sqrt(1 - alpha_bar)

        def log_density(x: Any) -> Any:
            ring = logsumexp(-0.5 * ((x - centres) ** 2).sum(-1) / variance) - math.log(16 * math.pi * variance)
            distance = jnp.abs(x)
            upper, lower = log_ndtr((half - distance) / sigma), log_ndtr((-half - distance) / sigma)
            return ring + (upper + jnp.log(-jnp.expm1(lower - upper)) - jnp.log(2 * half)).sum()

        kernel = peer.hmc(log_density, STEP_SIZE, jnp.ones(2, dtype), NUM_LEAPFROG)

        @jax.jit
        def moves(keys: Any, x: Any) -> Any:
            def move(state: Any, key: Any) -> Any:
                state, info = jax.vmap(kernel.step)(jax.random.split(key, num_chains), state)
                return state, info.acceptance_rate.mean()

            return jax.lax.scan(move, jax.vmap(kernel.init)(x), keys)

        x = jax.random.normal(jax.random.key(100), (num_chains, 2), dtype)

        def run(num_moves: int) -> None:
            state, _ = jax.block_until_ready(moves(jax.random.split(jax.random.key(101), num_moves), x))
            if state.position.dtype != dtype:
                raise RuntimeError(f"blackjax ran in {state.position.dtype}, expected {dtype}")

        return run

    return make


def torchebm(analytic: bool) -> Maker:
    """torchebm's HMC; its gradient by autograd of a plain energy, or our closed form handed to it."""
    import torch
    from torchebm.core import BaseModel
    from torchebm.samplers import HamiltonianMonteCarlo

    alpha_bar, means, low = _density()
    variance, sigma = alpha_bar * 0.03**2 + 1 - alpha_bar, math.sqrt(1 - alpha_bar)
    product = _expression()

    class Plain(BaseModel):
        def __init__(self, dtype: torch.dtype) -> None:
            super().__init__(dtype=dtype, device="cpu")
            self.centres, self.half = torch.tensor(means, dtype=dtype), -torch.tensor(low, dtype=dtype)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            squares = (x[:, None] - self.centres).square().sum(dim=-1)
            ring = torch.logsumexp(-0.5 * squares / variance, dim=1) - math.log(16 * math.pi * variance)
            distance = x.abs()
            upper = torch.special.log_ndtr((self.half - distance) / sigma)
            lower = torch.special.log_ndtr((-self.half - distance) / sigma)
            return -ring - (upper + (-torch.expm1(lower - upper)).log() - (2 * self.half).log()).sum(dim=1)

    class Analytic(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -product.evaluate(x, LEVEL).log_density

        def gradient(self, x: torch.Tensor, model_kwargs: dict[str, Any] | None = None) -> torch.Tensor:
            return -product.evaluate(x, LEVEL).score

    def make(num_chains: int, dtype: str) -> Callable[[int], Any]:
        generator = torch.Generator().manual_seed(100)
        kind = getattr(torch, dtype)
        x = torch.randn(num_chains, 2, generator=generator, dtype=kind)
        model = Analytic(kind) if analytic else Plain(kind)
        sampler = HamiltonianMonteCarlo(
            model, step_size=STEP_SIZE, n_leapfrog_steps=NUM_LEAPFROG, dtype=kind, device="cpu"
        )
        return lambda num_moves: sampler.sample(x=x, n_steps=num_moves, generator=generator)

    return make


def _expression() -> Any:
    from compose_diffusion.algebra.leaves import ExactLeaf
    from compose_diffusion.data.distributions import bar, ring
    from compose_diffusion.diffusion import cosine_schedule

    schedule = cosine_schedule(NUM_LEVELS)
    return ExactLeaf(ring(), schedule) & ExactLeaf(bar(), schedule)


def _density() -> tuple[float, list[list[float]], list[float]]:
    """abar, means of the ring and the lower corner of the bar at that level, as plain numbers for the peers."""
    from compose_diffusion.data.distributions import bar, ring
    from compose_diffusion.diffusion import cosine_schedule

    alpha_bar = float(cosine_schedule(NUM_LEVELS).alphas_cumprod[LEVEL])
    scale = math.sqrt(alpha_bar)
    return alpha_bar, (scale * ring().means).tolist(), (scale * bar().low).tolist()


MAKERS: dict[str, Callable[[], Maker]] = {
    "eager": lambda: ours(False),
    "compiled": lambda: ours(True),
    "blackjax": blackjax,
    "torchebm": lambda: torchebm(False),
    "torchebm-analytic": lambda: torchebm(True),
}


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def work(sampler: str, threads: int, chains: list[int], seconds: float, clock: str) -> list[dict[str, Any]]:
    """In a process of its own: rates of one sampler for all numbers of chains and precisions."""
    pin(threads)
    import torch

    torch.set_num_threads(threads)
    maker = MAKERS[sampler]()
    rows = []
    for dtype in DTYPES:
        for num_chains in chains:
            run = maker(num_chains, dtype)
            begun = time.perf_counter()
            run(1)
            first = time.perf_counter() - begun
            # Number of steps that take about `seconds` with the slowest sampler, the same for all.
            num_moves = max(2, round(seconds * 4e5 / (num_chains * NUM_LEAPFROG)))
            run(num_moves)
            begun = CLOCKS[clock]()
            run(num_moves)
            elapsed = CLOCKS[clock]() - begun
            rate = num_chains * num_moves * NUM_LEAPFROG / elapsed
            rows.append({"dtype": dtype, "chains": num_chains, "rate": rate, "first_move_s": first})
    return rows


def compare(threads: list[int], chains: list[int], rounds: int, seconds: float, clock: str) -> list[dict[str, Any]]:
    """All samplers in turn, round after round; medians of the rates and the first process's compile times."""
    found: dict[tuple[int, str, int, str], list[dict[str, Any]]] = {}
    # A new cache: the first compilation is a real one, and later rounds need not wait for it.
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(rounds):
            for count in threads:
                for sampler in SAMPLERS:
                    words = ["--worker", sampler, "--threads", str(count), "--seconds", str(seconds), "--clock", clock]
                    words += ["--chains", *map(str, chains)]
                    variables = {"OMP_NUM_THREADS": str(count), "TORCHINDUCTOR_CACHE_DIR": cache}
                    for row in run_script(__file__, words, variables):
                        key = (count, row["dtype"], row["chains"], sampler)
                        found.setdefault(key, []).append(row)
    return [
        {
            "threads": count,
            "dtype": dtype,
            "chains": num_chains,
            "sampler": sampler,
            "rate": statistics.median(row["rate"] for row in rows),
            "rates": [row["rate"] for row in rows],
            "first_move_s": rows[0]["first_move_s"],
        }
        for (count, dtype, num_chains, sampler), rows in sorted(found.items())
    ]


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


def profile() -> str:
    """Tables of torch.profiler for 50 steps of 2,000 chains, single precision, one thread."""
    import torch
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recorded

    torch.set_num_threads(1)
    tables = []
    for sampler in ("eager", "compiled"):
        run = MAKERS[sampler]()(2000, "float32")
        run(5)
        with recorded(activities=[ProfilerActivity.CPU]) as record:
            run(50)
        table = record.key_averages().table(sort_by="self_cpu_time_total", row_limit=14, max_name_column_width=44)
        tables.append(f"{sampler}\n{table}")
    return "\n".join(tables)


def main() -> None:
    """Run the comparison, print it as Markdown, write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one thread, one round, 2,000 chains")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a timing, for the slowest sampler")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--chains", type=int, nargs="+", default=[2000, 100_000])
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for one thread on a shared machine")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--profile", action="store_true", help="say what bounds a move instead")
    parser.add_argument("--worker", choices=SAMPLERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options.threads[0], options.chains, options.seconds, options.clock)))
        return
    if options.profile:
        print(profile())
        return
    if options.quick:
        options.threads, options.chains, options.rounds, options.seconds = [1], [2000], 1, 0.2
    rows = compare(options.threads, options.chains, options.rounds, options.seconds, options.clock)
    write_result(options.output, {"rounds": options.rounds, "clock": options.clock, "rows": rows}, PACKAGES)
    print(ratio_table(rows, SAMPLERS))


if __name__ == "__main__":
    main()
