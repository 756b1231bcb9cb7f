"""A training step beside perceiver-ar-pytorch: time and memory, process by process.

    python bench_training.py [--quick] [--rounds N] [--threads N] [--output results/training.json]

Both train the same shape on random tokens: forward, backward, clipping to norm 1 and Adam, in float32. Programs take
turns, each in a process of its own that is pinned to the same cores; time is the median over steps and rounds, memory
the peak while stepping above the process after its imports, and what is held between steps (parameters, optimiser, and
of ours the compiled program).
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from onepaper.benchmark import alternate, option_parser, peak_bytes, pin, reset_peak, resident_bytes, write_result


class Case(NamedTuple):
    """A shape: context M, latents N, width D, layers L, heads H, batch B."""

    context: int
    latents: int
    width: int = 256
    depth: int = 4
    heads: int = 4
    batch: int = 2


CASES = {"2k": Case(2048, 256, depth=6, batch=4), "4k": Case(4096, 512), "16k": Case(16_384, 1024)}
VOCABULARY = 259
PROGRAMS = ("ours", "perceiver-ar-pytorch")
PACKAGES = ("jax", "flax", "torch", "perceiver-ar-pytorch", "numpy")


def ours(case: Case) -> tuple[Callable[[], Any], int]:
    """A step of this package, and the memory of the process before it was built."""
    import jax
    import numpy as np
    from onepaper.jax.steps import JaxTask
    from onepaper.optimizer import OptimizerOptions

    from perceiver_ar.config import ModelConfig
    from perceiver_ar.models.losses import sequence_loss
    from perceiver_ar.models.perceiver_ar import PerceiverAR

    jax.devices()
    idle = resident_bytes()
    config = ModelConfig(
        vocab_size=VOCABULARY,
        context_length=case.context,
        num_latents=case.latents,
        width=case.width,
        depth=case.depth,
        heads=case.heads,
        rotary_fraction=0.5,
    )

    def loss(model: PerceiverAR, batch: Any, key: Any) -> tuple[Any, Any]:
        found = sequence_loss(model, batch["inputs"], batch["targets"], key=key)
        return found.nats, found.targets

    task = JaxTask(lambda rngs: PerceiverAR(config, rngs), loss, OptimizerOptions(name="adam", lr=1e-4, clip_norm=1.0))
    tokens = np.random.default_rng(0).integers(3, VOCABULARY, (case.batch, case.context + 1)).astype(np.int32)
    batch = {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}
    states = [task.init(0)]

    def step() -> None:
        state, metrics = task.step(states.pop(), batch)
        states.append(state)
        metrics["loss"].block_until_ready()

    return step, idle


def peer(case: Case) -> tuple[Callable[[], Any], int]:
    """The same of the peer, as its README trains it."""
    import torch
    from perceiver_ar_pytorch import PerceiverAR

    idle = resident_bytes()
    torch.manual_seed(0)
    model = PerceiverAR(
        num_tokens=VOCABULARY,
        dim=case.width,
        depth=case.depth,
        dim_head=case.width // case.heads,
        heads=case.heads,
        max_seq_len=case.context,
        cross_attn_seq_len=case.context - case.latents,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    tokens = torch.randint(3, VOCABULARY, (case.batch, case.context + 1))

    def step() -> None:
        optimizer.zero_grad()
        model(tokens[:, :-1], labels=tokens[:, 1:]).backward()  # it cuts the labels itself
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step, idle


def measure(program: str, case: Case, steps: int, threads: int) -> dict[str, Any]:
    """In a process of its own: seconds of the first step and of later ones, and their peak memory."""
    pin(threads)
    if program != "ours":
        import torch

        torch.set_num_threads(threads)
    step, idle = (ours if program == "ours" else peer)(case)
    begun = time.perf_counter()
    step()
    first = time.perf_counter() - begun
    reset_peak()
    between = resident_bytes()
    seconds = []
    for _ in range(steps):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    memory = {"mebibytes": (peak_bytes() - idle) / 2**20, "mebibytes_between_steps": (between - idle) / 2**20}
    return {"seconds": seconds, "first_step_s": first, **memory}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    options = option_parser(
        __doc__, steps=5, quick="the small shape, one round of two steps", measure=("PROGRAM", "CASE")
    ).parse_args()
    if options.measure:
        import json

        program, name = options.measure
        print(json.dumps(measure(program, CASES[name], options.steps, options.threads)))
        return
    names = ["2k", "4k"] if options.quick else list(CASES)
    rounds, steps = (1, 2) if options.quick else (options.rounds, options.steps)
    rows = []
    for name in names:
        words = ["--steps", str(steps), "--threads", str(options.threads)]
        cases = {program: ["--measure", program, name, *words] for program in PROGRAMS}
        found = alternate(__file__, cases, rounds)
        rows.append({"case": name, **CASES[name]._asdict(), "programs": found})
    write_result(options.output, {"threads": options.threads, "rounds": rounds, "rows": rows}, PACKAGES)
    print("| shape | program | s a step | first step | MiB above idle | between steps |\n|---|---|---|---|---|---|")
    for row in rows:
        medians = {}
        for program, each in row["programs"].items():
            seconds = statistics.median(second for one in each for second in one["seconds"])
            memory = statistics.median(one["mebibytes"] for one in each)
            between = statistics.median(one["mebibytes_between_steps"] for one in each)
            first = statistics.median(one["first_step_s"] for one in each)
            medians[program] = seconds, memory
            cells = f"{seconds:.2f} | {first:.1f} | {memory:,.0f} | {between:,.0f}"
            print(f"| M {row['context']:,}, N {row['latents']:,} | {program} | {cells} |")
        (mine, my_memory), (theirs, their_memory) = (medians[program] for program in PROGRAMS)
        print(f"| | ratio, theirs / ours | {theirs / mine:.2f} | | {their_memory / my_memory:.2f} | |")


if __name__ == "__main__":
    main()
