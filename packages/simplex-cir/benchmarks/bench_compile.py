"""Seconds to compile the training step of every laptop preset, with nothing compiled before.

    python bench_compile.py [--output compile.json]

Each preset runs in a process of its own without a compilation cache. The first step is compiled and run, the second
only run; their difference is the compiler's, by the clock and in time of the processor, which others do not add to.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from onepaper.benchmark import pin, run_script, single_threaded, write_result
from peers import PACKAGES

from simplex_cir.config import LearnedConfig
from simplex_cir.presets import PRESETS

LEARNED = {name: preset.config for name, preset in PRESETS.items() if isinstance(preset.config, LearnedConfig)}
NAMES = [name for name in LEARNED if name.startswith("laptop")]


def measure(name: str) -> dict[str, float]:
    """Seconds of the first two steps of a preset, on tokens made up."""
    pin()
    import jax
    from onepaper.jax.steps import JaxTask

    from simplex_cir.models.denoiser import SimplexDenoiser
    from simplex_cir.training import make_loss

    config = LEARNED[name]
    task = JaxTask(
        lambda rngs: SimplexDenoiser(config.model, rngs),
        make_loss(config),
        config.optimizer,
        total_steps=config.loop.steps,
    )
    generator = np.random.default_rng(0)
    shape = (config.batch_size, config.model.positions)
    batch = {"tokens": generator.integers(0, config.model.num_categories, shape).astype(np.int32)}
    if config.model.num_classes:
        batch["labels"] = generator.integers(0, config.model.num_classes, config.batch_size).astype(np.int32)
    state = task.init(0)
    seconds, processor = [], []
    for _ in range(2):
        begun, begun_there = time.perf_counter(), time.process_time()
        state, metrics = task.step(state, batch)
        jax.block_until_ready(metrics)
        seconds.append(time.perf_counter() - begun)
        processor.append(time.process_time() - begun_there)
    return {"step": seconds[1], "compile": seconds[0] - seconds[1], "compile_processor": processor[0] - processor[1]}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first preset only")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--case", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case)))
        return
    rows = []
    print("| preset | compile s | of the processor | a step s |\n|---|---|---|---|")
    for name in NAMES[: 1 if options.quick else None]:
        rows.append({"preset": name, **run_script(__file__, ["--case", name], single_threaded())})
        compiled, step = (rows[-1][key] for key in ("compile", "step"))
        print(f"| {name} | {compiled:.1f} | {rows[-1]['compile_processor']:.1f} | {step:.2f} |", flush=True)
    write_result(options.output, {"threads": 1, "rows": rows}, PACKAGES)


if __name__ == "__main__":
    main()
