"""A training step beside a plain torch encoder of equal size and denoising-diffusion-pytorch's 1-D U-Net.

    python bench_training.py [--quick] [--rounds N] [--threads N] [--output results/training.json]

All train on random tokens of the same shape in float32, with self-conditioning on half of the examples, clipping to
norm 1, Adam and an average of the weights. Programs take turns, each in a process of its own that is pinned to the same
cores; times are medians over steps and rounds.
"""

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from onepaper.benchmark import alternate, median_ratio, option_parser, pin, write_result
from peers import CASES, EMBED, VOCABULARY, Case, encoder, encoder_loss, torch_step, unet

OURS, ENCODER, UNET = "this package", "torch encoder", "denoising-diffusion-pytorch"
PACKAGES = ("jax", "flax", "torch", "denoising-diffusion-pytorch", "numpy")

# A step and its number of trained parameters.
Program = tuple[Callable[[], Any], int]


def ours(name: str) -> Program:
    """The training of a preset of this package, as `train` makes it."""
    from dataclasses import replace

    import jax
    import numpy as np
    from onepaper.jax.custom_steps import CustomJaxTask

    from sed.diffusion.embeddings import random_table
    from sed.models.counts import count_parameters
    from sed.models.denoiser import EmbeddingDiffusion
    from sed.presets import PRESETS
    from sed.training import make_direction, make_loss

    config = PRESETS[name].config
    model = config.model
    shape = (model.length, model.width, model.depth, model.heads, config.batch_size)
    assert shape == CASES[name][:5], f"the preset has the shape {shape}, expected {CASES[name][:5]}"
    table = random_table(jax.random.key(0), VOCABULARY, EMBED)
    task = CustomJaxTask(
        lambda rngs: EmbeddingDiffusion(model, rngs, table),
        make_loss(config),
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
    )
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (config.batch_size, model.length)).astype(np.int32)
    states = [task.init(0)]

    def step() -> None:
        state, metrics = task.step(states.pop(), tokens)
        states.append(state)
        metrics["loss"].block_until_ready()

    return step, count_parameters(model)


def _torch(case: Case, program: str) -> Program:
    """A peer on the same kind of tokens, or on embeddings of them."""
    import torch

    torch.manual_seed(0)
    model = encoder(case) if program == ENCODER else unet(case)
    tokens = torch.randint(0, VOCABULARY, (case.batch, case.length))
    loss = encoder_loss(model, case) if program == ENCODER else model
    # The U-Net has channels before positions.
    batch = tokens if program == ENCODER else torch.randn(case.batch, EMBED, case.length)
    step = torch_step(model, loss)
    return lambda: step(batch), sum(parameter.numel() for parameter in model.parameters())


def measure(program: str, name: str, steps: int, threads: int) -> dict[str, Any]:
    """In a process of its own: seconds of the first step and of later ones."""
    pin(threads)
    if program != OURS:
        import torch

        torch.set_num_threads(threads)
    step, parameters = ours(name) if program == OURS else _torch(CASES[name], program)
    begun = time.perf_counter()
    step()
    first, seconds = time.perf_counter() - begun, []
    step()
    for _ in range(steps):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "first_step_s": first, "parameters": parameters}


def main() -> None:
    """Measure in alternating processes, print as Markdown, write as JSON where asked to."""
    options = option_parser(
        __doc__, steps=30, quick="the small shape, one round of five steps", measure=("PROGRAM", "CASE")
    ).parse_args()
    if options.measure:
        program, name = options.measure
        print(json.dumps(measure(program, name, options.steps, options.threads)))
        return
    programs = [OURS, ENCODER]
    if importlib.util.find_spec("denoising_diffusion_pytorch"):
        programs.append(UNET)
    else:
        print(f"{UNET} is not installed and is left out (pip install 'onepaper-sed[bench]')", file=sys.stderr)
    rounds, steps = (1, 5) if options.quick else (options.rounds, options.steps)
    rows = []
    print("| preset | program | parameters | ms a step | tokens/s | first step, s | ours / this, tokens/s |")
    print("|---|---|---|---|---|---|---|")
    for name in list(CASES)[:1] if options.quick else CASES:
        words = ["--steps", str(steps), "--threads", str(options.threads)]
        case = CASES[name]
        found = alternate(__file__, {program: ["--measure", program, name, *words] for program in programs}, rounds)
        rows.append({"preset": name, **case._asdict(), "programs": found})
        seconds = {program: [statistics.median(one["seconds"]) for one in each] for program, each in found.items()}
        for program, each in found.items():
            middle = statistics.median(seconds[program])
            first = statistics.median(one["first_step_s"] for one in each)
            ratio = median_ratio(seconds[program], seconds[OURS])
            cells = f"{1000 * middle:.1f} | {case.batch * case.length / middle:,.0f} | {first:.1f} | {ratio:.2f}"
            print(f"| {name} | {program} | {each[0]['parameters']:,} | {cells} |")
    write_result(options.output, {"threads": options.threads, "rounds": rounds, "rows": rows}, PACKAGES)


if __name__ == "__main__":
    main()
