"""A training step beside a masked language model of torch, and what self-conditioning adds to it.

    python bench_training.py [--quick] [--rounds N] [--threads N] [--output results/training.json]

Each program trains a bidirectional Transformer of the same shape on random tokens, in float32: forward, backward,
clipping to norm 1 and Adam. Programs take turns, each in a process of its own that is pinned to the same cores; a ratio
is the median over rounds of medians over steps.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from onepaper.benchmark import alternate, median_ratio, option_parser, pin, write_result


class Case(NamedTuple):
    """A shape: batch B, length L, width h, blocks, heads, embedding d, vocabulary V."""

    batch: int
    length: int
    width: int
    depth: int
    heads: int
    embed_dim: int
    vocab_size: int


# The preset laptop, and a model of the shape of the paper's base at a quarter of its width.
CASES = {"laptop": Case(128, 32, 128, 4, 4, 64, 1024), "wide": Case(32, 64, 256, 8, 4, 64, 8192)}
PROGRAMS = ("cdcd", "cdcd without self-conditioning", "torch")
PACKAGES = ("jax", "flax", "torch", "numpy")

Step = Callable[[], None]


def ours(case: Case, *, self_conditioning: bool) -> Step:
    """A training step of this package."""
    from dataclasses import replace

    import jax
    import numpy as np
    from onepaper.jax.custom_steps import CustomJaxTask

    from cdcd.models.denoiser import CategoricalDiffusion
    from cdcd.presets import PRESETS
    from cdcd.training import make_direction, make_loss

    preset = PRESETS["laptop"].config
    fields = {name: value for name, value in case._asdict().items() if name != "batch"}
    model = replace(preset.model, **fields, self_conditioning=self_conditioning)
    config = replace(preset, model=model, batch_size=case.batch)
    task = CustomJaxTask(
        lambda rngs: CategoricalDiffusion(config.model, rngs),
        make_loss(config),
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
    )
    tokens = np.random.default_rng(0).integers(0, case.vocab_size, (case.batch, case.length), dtype=np.int32)
    states = [task.init(0)]

    def step() -> None:
        state, _ = task.step(states.pop(), tokens)
        states.append(state)
        jax.block_until_ready(state.arrays)

    return step


def peer(case: Case) -> Step:
    """A step of torch's own encoder as a masked language model, with the loss of all positions."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    width = case.width
    layer = nn.TransformerEncoderLayer(
        width, case.heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    model = nn.ModuleDict({
        "embed": nn.Embedding(case.vocab_size + 1, width),  # the last one stands for masked tokens
        "positions": nn.Embedding(case.length, width),
        "encoder": nn.TransformerEncoder(layer, case.depth, nn.LayerNorm(width), enable_nested_tensor=False),
        "head": nn.Linear(width, case.vocab_size),
    })  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tokens = torch.randint(case.vocab_size, (case.batch, case.length))

    def step() -> None:
        masked = torch.where(torch.rand(tokens.shape) < 0.5, case.vocab_size, tokens)
        x = model["embed"](masked) + model["positions"].weight  # type: ignore[operator]
        logits = model["head"](model["encoder"](x))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def measure(program: str, case: Case, steps: int, threads: int) -> dict[str, float]:
    """In a process of its own: seconds of the first step, and the median of later ones."""
    pin(threads)
    if program == "torch":
        import torch

        torch.set_num_threads(threads)
    step = peer(case) if program == "torch" else ours(case, self_conditioning=program == PROGRAMS[0])
    seconds = []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return {"first_step_s": seconds[0], "seconds": statistics.median(seconds[1:])}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    options = option_parser(
        __doc__, steps=10, quick="the shape of the preset laptop, one round of three steps", measure=("PROGRAM", "CASE")
    ).parse_args()
    if options.measure:
        program, name = options.measure
        print(json.dumps(measure(program, CASES[name], options.steps, options.threads)))
        return
    rounds, steps = (1, 3) if options.quick else (options.rounds, options.steps)
    rows = []
    print("| shape | program | s a step | tokens/s | first step, s |\n|---|---|---|---|---|")
    for name in ("laptop",) if options.quick else CASES:
        case, words = CASES[name], ["--steps", str(steps), "--threads", str(options.threads)]
        found = alternate(__file__, {program: ["--measure", program, name, *words] for program in PROGRAMS}, rounds)
        seconds = {program: [one["seconds"] for one in each] for program, each in found.items()}
        plain = PROGRAMS[1]
        ratios = {
            "torch / cdcd": median_ratio(seconds["torch"], seconds["cdcd"]),
            "torch / cdcd without self-conditioning": median_ratio(seconds["torch"], seconds[plain]),
            "self-conditioning": median_ratio(seconds["cdcd"], seconds[plain]) - 1,
        }
        rows.append({"case": name, **case._asdict(), "programs": found, "ratios": ratios})
        for program, values in seconds.items():
            median = statistics.median(values)
            first = statistics.median(one["first_step_s"] for one in found[program])
            print(f"| {name} | {program} | {median:.4f} | {case.batch * case.length / median:,.0f} | {first:.1f} |")
        print(f"| {name} | ratios | " + ", ".join(f"{key} {value:.2f}" for key, value in ratios.items()) + " | | |")
    write_result(options.output, {"threads": options.threads, "rounds": rounds, "rows": rows}, PACKAGES)


if __name__ == "__main__":
    main()
