"""Time of a training step over the number of tokens, and memory of a step with and without chunks of logits.

    python bench_scaling.py [--quick] [--rounds N] [--threads N] [--output results/scaling.json]

Each time is measured in a process of its own; the slope is by least squares in log-log, 1 where time is linear in B L.
Memory is what the compiled gradient of the loss takes in addition to parameters and batch, as XLA reports it.
"""

import json
import statistics
import time
from dataclasses import replace
from typing import Any

from onepaper.benchmark import log_slope, option_parser, pin, run_script, write_result

# Sequences of the preset laptop; the length is 32.
BATCHES = (32, 64, 128, 256, 512)
# Memory: tokens of the batch, vocabulary, and positions of a chunk.
SEQUENCES, LENGTH, VOCABULARY, CHUNK = 64, 64, 32_000, 256
PACKAGES = ("jax", "flax", "numpy")


def measure_step(batch_size: int, steps: int) -> dict[str, float]:
    """Median seconds of a step of the preset laptop with this batch."""
    import jax
    import numpy as np
    from onepaper.jax.custom_steps import CustomJaxTask

    from cdcd.models.denoiser import CategoricalDiffusion
    from cdcd.presets import PRESETS
    from cdcd.training import make_direction, make_loss

    config = replace(PRESETS["laptop"].config, batch_size=batch_size)
    task = CustomJaxTask(
        lambda rngs: CategoricalDiffusion(config.model, rngs),
        make_loss(config),
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
    )
    tokens = np.random.default_rng(0).integers(
        0, config.model.vocab_size, (batch_size, config.model.length), dtype=np.int32
    )
    state, seconds = task.init(0), []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        state, _ = task.step(state, tokens)
        jax.block_until_ready(state.arrays)
        seconds.append(time.perf_counter() - begun)
    return {"tokens": tokens.size, "seconds": statistics.median(seconds[1:])}


def measure_memory(chunk: int) -> dict[str, float]:
    """Temporary bytes of the compiled gradient at a vocabulary of 32,000; nothing is computed."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from cdcd.config import ExperimentConfig, ModelConfig
    from cdcd.models.denoiser import CategoricalDiffusion
    from cdcd.training import make_loss

    model = ModelConfig(vocab_size=VOCABULARY, length=LENGTH, depth=2, logits_chunk=chunk, remat=True)
    config = ExperimentConfig(model=model, batch_size=SEQUENCES)
    abstract = nnx.eval_shape(lambda: CategoricalDiffusion(config.model, nnx.Rngs(0)))
    graph, params, rest = nnx.split(abstract, nnx.Param, ...)

    def loss(params: Any, rest: Any, tokens: Any, key: Any) -> Any:
        total, weight, _ = make_loss(config)(nnx.merge(graph, params, rest, copy=True), tokens, key)
        return total / weight

    tokens = jax.ShapeDtypeStruct((SEQUENCES, LENGTH), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    analysis = jax.jit(jax.grad(loss)).lower(params, rest, tokens, key).compile().memory_analysis()
    return {"chunk": chunk, "temporary_bytes": analysis.temp_size_in_bytes}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    options = option_parser(
        __doc__, steps=5, quick="three sizes, one round of two steps", measure=("KIND", "SIZE")
    ).parse_args()
    if options.measure:
        pin(options.threads)
        kind, size = options.measure
        print(json.dumps(measure_memory(int(size)) if kind == "memory" else measure_step(int(size), options.steps)))
        return
    rounds, steps = (1, 2) if options.quick else (options.rounds, options.steps)

    def run(kind: str, size: int) -> dict[str, float]:
        words = ["--measure", kind, str(size), "--steps", str(steps), "--threads", str(options.threads)]
        return run_script(__file__, words)

    chosen = BATCHES[:3] if options.quick else BATCHES
    measured = [[run("step", batch) for batch in chosen] for _ in range(rounds)]
    rows = [
        {"tokens": each[0]["tokens"], "seconds": statistics.median(one["seconds"] for one in each)}
        for each in zip(*measured, strict=True)
    ]
    slope = log_slope([row["tokens"] for row in rows], [row["seconds"] for row in rows])
    chunked, naive = run("memory", CHUNK), run("memory", 0)
    share = chunked["temporary_bytes"] / naive["temporary_bytes"]
    result = {"threads": options.threads, "rounds": rounds, "steps": rows, "slope": slope}
    write_result(options.output, {**result, "memory": {"chunked": chunked, "naive": naive, "share": share}}, PACKAGES)
    print("| B L | s a step | tokens/s |\n|---|---|---|")
    for row in rows:
        print(f"| {row['tokens']:,} | {row['seconds']:.4f} | {row['tokens'] / row['seconds']:,.0f} |")
    print(f"\nslope {slope:.2f}")
    mebibytes = (found["temporary_bytes"] / 2**20 for found in (chunked, naive))
    print(
        f"\nmemory of a step of {SEQUENCES * LENGTH:,} tokens at V = {VOCABULARY:,}: {next(mebibytes):,.0f} MiB in "
        f"chunks of {CHUNK}, {next(mebibytes):,.0f} MiB at once; {share:.2f} of it"
    )


if __name__ == "__main__":
    main()
