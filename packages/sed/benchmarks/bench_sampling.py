"""The compiled sampler beside Python loops, and quality by seconds along the number of steps.

    python bench_sampling.py [--quick] [--rounds N] [--threads N] [--output results/sampling.json]

"compiled" is `Sampler`, all steps in one program; "loop" is the same network compiled, called for each step, with the
posterior computed between calls; "torch encoder" is a plain torch encoder of equal size in such a loop. Ways take
turns, each in a process of its own that is pinned to the same cores; the first call is not timed. The curve is that of
`onepaper sed sweep` on the network that ships.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from onepaper.benchmark import alternate, option_parser, pin, run_script, write_result
from peers import CASES, EMBED, encoder, torch_sample

PRESET, STEPS, COUNT = "laptop", 50, 64
CURVE, CURVE_SAMPLES = (10, 20, 50, 100, 250), 128
WAYS = ("compiled", "loop", "torch encoder")
PACKAGES = ("jax", "flax", "torch", "numpy")


def _network() -> Any:
    """The network that ships, which has the shape of the preset."""
    from sed.models.denoiser import EmbeddingDiffusion
    from sed.pretrained.networks import open_network

    return open_network("kjv", EmbeddingDiffusion).model


def compiled() -> Callable[[], Any]:
    """Samples by `Sampler`."""
    from sed.config import SamplingOptions
    from sed.sampling import Sampler

    sampler = Sampler(_network(), SamplingOptions(steps=STEPS), batch_size=COUNT)
    return lambda: sampler.unconditional(COUNT)


def loop() -> Callable[[], Any]:
    """The network for each step, and what is between in Python."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    model = _network()
    graph, state = nnx.split(model)
    shape = (COUNT, model.config.length, EMBED)
    zeros, given = jnp.zeros(shape), jnp.zeros(shape[:2], bool)

    @jax.jit
    def estimate(state: Any, x: Any, x_self: Any, t: Any) -> Any:
        return nnx.merge(graph, state)(x, zeros, given, x_self, t)

    def run() -> Any:
        key = jax.random.key(0)
        x, found = jax.random.normal(key, shape), zeros
        for t, before in itertools.pairwise(map(int, model.schedule.respaced(STEPS)[::-1])):
            found = estimate(state, x, found, jnp.full(COUNT, t))
            mean, std = model.schedule.posterior(found, x, t, before)
            x = mean + std * jax.random.normal(jax.random.fold_in(key, t), shape)
        return np.asarray(model.decode(found))

    return run


def peer() -> Callable[[], Any]:
    """The torch encoder in the same loop."""
    model = encoder(CASES[PRESET]).eval()
    return lambda: torch_sample(model, COUNT, CASES[PRESET].length, STEPS)


def measure(way: str, calls: int, threads: int) -> dict[str, Any]:
    """In a process of its own: seconds of calls after the first."""
    pin(threads)
    if way == WAYS[2]:
        import torch

        torch.set_num_threads(threads)
    run = {WAYS[0]: compiled, WAYS[1]: loop, WAYS[2]: peer}[way]()
    run()
    seconds = []
    for _ in range(calls):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds}


def curve(samples: int, threads: int) -> dict[str, Any]:
    """Quality and seconds of unconditional samples along the steps, and of held-out text."""
    pin(threads)
    from sed.config import SamplingOptions
    from sed.data.corpus import tokenize
    from sed.evaluation.sweeps import Setting, sweep
    from sed.evaluation.tasks import held_out_task, make_evaluators
    from sed.models.autoregressive import AutoregressiveLM
    from sed.models.denoiser import EmbeddingDiffusion
    from sed.pretrained.networks import open_network

    network = open_network("kjv", EmbeddingDiffusion)
    corpus = tokenize(network.data, network.codec)
    evaluators = make_evaluators(open_network("kjv-evaluator", AutoregressiveLM).model, corpus)
    task = held_out_task(network, corpus, "unconditional", samples)
    rows = sweep(network, evaluators, task, [Setting(steps, 1.0) for steps in CURVE], SamplingOptions())
    held_out = {name: float(value) for name, value in evaluators.measure(task.tokens).items()}
    steps = {str(setting.steps): {name: float(value) for name, value in row.items()} for setting, row in rows.items()}
    return {"held-out text": held_out, **steps}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    parser = option_parser(__doc__, quick="one round of two calls, few samples", measure=("WAY",))
    parser.add_argument("--calls", type=int, default=5, help="timed calls of each process")
    parser.add_argument("--curve", type=int, metavar="SAMPLES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], options.calls, options.threads)))
        return
    if options.curve:
        print(json.dumps(curve(options.curve, options.threads)))
        return
    rounds, calls = (1, 2) if options.quick else (options.rounds, options.calls)
    words = ["--calls", str(calls), "--threads", str(options.threads)]
    found = alternate(__file__, {way: ["--measure", way, *words] for way in WAYS}, rounds)
    samples = 16 if options.quick else CURVE_SAMPLES
    rows = run_script(__file__, ["--curve", str(samples), "--threads", str(options.threads)])
    shape = {"preset": PRESET, "steps": STEPS, "sequences": COUNT}
    result = {"threads": options.threads, **shape, "ways": found, "samples": samples, "curve": rows}
    write_result(options.output, result, PACKAGES)
    print(f"| way | s for {COUNT} sequences of {STEPS} steps | this / compiled |\n|---|---|---|")
    medians = {
        way: statistics.median(second for one in each for second in one["seconds"]) for way, each in found.items()
    }
    for way, middle in medians.items():
        print(f"| {way} | {middle:.2f} | {middle / medians[WAYS[0]]:.2f} |")
    print("\n| steps | s a sequence | AR-NLL | entropy | entropy, Miller-Madow |\n|---|---|---|---|---|")
    for steps, row in rows.items():
        cells = " | ".join(f"{row[name]:.2f}" for name in ("ar_nll", "entropy", "entropy_corrected"))
        seconds = f"{row['seconds']:.4f}" if "seconds" in row else ""
        print(f"| {steps} | {seconds} | {cells} |")


if __name__ == "__main__":
    main()
