"""How a training step grows with the context beside the plain decoder; the 131k copy step; cold compile times.

    python bench_scaling.py [--quick] [--rounds N] [--threads N] [--output results/scaling.json]

Seconds of a step against M at fixed N, beside the arithmetic of the model and beside a decoder of as many layers whose
latents are all of its M inputs. Slopes are least squares in log-log. Then what the compiled copy task over 131,072
tokens needs beside its parameters, and how long the laptop presets take to compile from nothing.
"""

import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from onepaper.benchmark import (
    log_slope,
    option_parser,
    peak_bytes,
    pin,
    reset_peak,
    resident_bytes,
    run_script,
    write_result,
)

LATENTS, WIDTH, DEPTH, HEADS, BATCH, VOCABULARY = 256, 128, 6, 4, 1, 259
CONTEXTS = {"perceiver": (512, 1024, 2048, 4096, 8192, 16_384), "decoder": (512, 1024, 2048, 4096, 8192)}
PACKAGES = ("jax", "flax", "torch", "perceiver-ar-pytorch", "numpy")


def forward_flops(config: Any) -> float:
    """Multiplications and additions of one example's forward pass; a training step is about three of them."""
    m, n, c, d = config.context_length, config.num_latents, config.input_dim, config.width
    wide = 2 * config.mlp_ratio * d * d * 2
    reads = 4 * m * c * c + 4 * n * m * c + 2 * n * (c * d + 2 * c * d) + n * wide
    return reads + config.depth * (n * (8 * d * d + wide) + 4 * n * n * d) + 2 * n * d * config.vocab_size


def _config(kind: str, context: int) -> Any:
    from perceiver_ar.config import ModelConfig
    from perceiver_ar.models.decoder import plain_decoder

    config = ModelConfig(
        vocab_size=VOCABULARY,
        context_length=context,
        num_latents=LATENTS,
        width=WIDTH,
        depth=DEPTH,
        heads=HEADS,
        rotary_fraction=0.5,
        remat=True,
    )
    return config if kind == "perceiver" else plain_decoder(config)


def _task(config: Any) -> tuple[Any, Any]:
    """A training step of a model, and a loss that needs no lengths."""
    from onepaper.jax.steps import JaxTask
    from onepaper.optimizer import OptimizerOptions

    from perceiver_ar.models.losses import sequence_loss
    from perceiver_ar.models.perceiver_ar import PerceiverAR

    def loss(model: PerceiverAR, batch: Any, key: Any) -> tuple[Any, Any]:
        found = sequence_loss(model, batch["inputs"], batch["targets"], key=key)
        return found.nats, found.targets

    options = OptimizerOptions(name="adam", lr=1e-4, clip_norm=1.0)
    return JaxTask(lambda rngs: PerceiverAR(config, rngs), loss, options), loss


def measure_step(config: Any, batch_size: int, steps: int) -> dict[str, Any]:
    """Seconds of the first step and the median of later ones, and their peak memory above the process before."""
    import jax
    import numpy as np

    jax.devices()
    idle = resident_bytes()
    task, _ = _task(config)
    tokens = np.random.default_rng(0).integers(3, config.vocab_size, (batch_size, config.context_length + 1))
    batch = {"inputs": tokens[:, :-1].astype(np.int32), "targets": tokens[:, 1:].astype(np.int32)}
    if len(config.axes) > 1:  # the time to compile is the same without the coordinates of pixels
        from dataclasses import replace

        task, _ = _task(replace(config, axes=()))
    state = task.init(0)
    seconds = []
    for number in range(steps + 1):
        if number == 1:
            reset_peak()
        begun = time.perf_counter()
        state, metrics = task.step(state, batch)
        metrics["loss"].block_until_ready()
        seconds.append(time.perf_counter() - begun)
    return {
        "first_step_s": seconds[0],
        "seconds": statistics.median(seconds[1:]),
        "mebibytes": (peak_bytes() - idle) / 2**20,
    }


def measure_long_copy(context: int) -> dict[str, Any]:
    """Of the paper's copy preset, one example of float32: bytes that the compiled gradient needs, by XLA's account."""
    from dataclasses import replace

    import jax
    import jax.numpy as jnp
    from flax import nnx

    from perceiver_ar.models.counts import parameter_count
    from perceiver_ar.models.losses import sequence_loss
    from perceiver_ar.models.perceiver_ar import PerceiverAR
    from perceiver_ar.presets import PRESETS

    config = replace(PRESETS["paper-copy-131k"].config.model, context_length=context)
    graph, params = nnx.split(nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0))))
    tokens = jax.ShapeDtypeStruct((1, context), jnp.int32)

    def loss(params: Any, tokens: Any) -> Any:
        return sequence_loss(nnx.merge(graph, params), tokens, tokens).nats

    begun = time.perf_counter()
    analysis = jax.jit(jax.grad(loss)).lower(params, tokens).compile().memory_analysis()
    scores = 4 * config.num_cross_heads * config.num_latents * context
    return {
        "context": context,
        "parameters": parameter_count(config),
        "temporary_bytes": analysis.temp_size_in_bytes,
        "bytes_of_all_scores_once": scores,
        "compile_s": time.perf_counter() - begun,
    }


def measure(what: Sequence[str], steps: int, threads: int) -> dict[str, Any]:
    """In a process of its own."""
    pin(threads)
    kind, value = what
    if kind == "copy":
        return measure_long_copy(int(value))
    if kind == "preset":
        from perceiver_ar.presets import PRESETS

        config = PRESETS[value].config
        found = measure_step(config.model, config.batch_size, 1)
        return {"preset": value, "compile_s": found["first_step_s"] - found["seconds"], **found}
    config = _config(kind, int(value))
    return {"context": int(value), "flops": 3 * BATCH * forward_flops(config), **measure_step(config, BATCH, steps)}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    options = option_parser(
        __doc__, steps=3, quick="short contexts, one round of two steps, two presets", measure=("KIND", "VALUE")
    ).parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.steps, options.threads)))
        return
    from perceiver_ar.presets import PRESETS

    rounds, steps = (1, 2) if options.quick else (options.rounds, options.steps)
    presets = [name for name in PRESETS if name.startswith("laptop-") or name == "smoke"]
    presets = ["smoke", "laptop-copy-64"] if options.quick else presets

    def run(kind: str, value: object) -> dict[str, Any]:
        words = ["--measure", kind, str(value), "--steps", str(steps), "--threads", str(options.threads)]
        return run_script(__file__, words)

    tables: dict[str, list[dict[str, Any]]] = {}
    for kind, contexts in CONTEXTS.items():
        chosen = contexts[:3] if options.quick else contexts
        measured = [[run(kind, context) for context in chosen] for _ in range(rounds)]
        tables[kind] = [
            {**each[0], **{key: statistics.median(one[key] for one in each) for key in ("seconds", "mebibytes")}}
            for each in zip(*measured, strict=True)
        ]
    copy = run("copy", 4096 if options.quick else 131_072)
    compiled = [run("preset", name) for name in presets]
    slopes = {
        f"{kind} {name}": log_slope([row["context"] for row in rows], [row[name] for row in rows])
        for kind, rows in tables.items()
        for name in ("seconds", "flops")
    }
    result = {"threads": options.threads, "rounds": rounds, "steps": tables}
    write_result(options.output, {**result, "slopes": slopes, "copy": copy, "compile": compiled}, PACKAGES)
    print("| model | M | s a step | GFLOP | GFLOP/s | targets/s | MiB above idle |\n|---|---|---|---|---|---|---|")
    for kind, rows in tables.items():
        for row in rows:
            targets = BATCH * (LATENTS if kind == "perceiver" else row["context"])
            cells = row["seconds"], row["flops"] / 1e9, row["flops"] / 1e9 / row["seconds"], targets / row["seconds"]
            message = " | ".join(f"{cell:,.2f}" for cell in cells)
            print(f"| {kind} | {row['context']:,} | {message} | {row['mebibytes']:,.0f} |")
    print("\nslopes: " + ", ".join(f"{name} {value:.2f}" for name, value in slopes.items()))
    print(
        f"\ncopy over {copy['context']:,} tokens: {copy['temporary_bytes'] / 2**30:.2f} GiB beside "
        f"{copy['parameters']:,} parameters and their gradients; all scores once would be "
        f"{copy['bytes_of_all_scores_once'] / 2**30:.2f} GiB"
    )
    print("\ncold compile: " + ", ".join(f"{row['preset']} {row['compile_s']:.1f} s" for row in compiled))


if __name__ == "__main__":
    main()
