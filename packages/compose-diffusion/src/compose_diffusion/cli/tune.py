"""The `tune` verb: compare step sizes on an expression, by acceptance and squared jump distance at every level."""

import torch
from onepaper import progress
from onepaper.display.file_bytes import figure_png
from onepaper.paper import Invocation
from onepaper.runs import write_atomic
from onepaper.torch.accelerator import Accelerator

from compose_diffusion.cli.level_figures import sweep_figure
from compose_diffusion.cli.options import TuneOptions
from compose_diffusion.cli.sample import compile_networks, numbers, requested, sampler_name, sampler_options
from compose_diffusion.samplers.batches import batch_generator
from compose_diffusion.samplers.step_sweep import StepSweep, sweep_step_sizes

# Width of a column of the printed table.
COLUMN = 14


def tune_verb(call: Invocation) -> int:
    """Prints a line for each step size; writes `steps.png`, curves over the levels, and `steps.json`."""
    options: TuneOptions = call.options
    with Accelerator(options) as accelerator:
        request = requested(options, accelerator.device)
        chosen = sampler_options(options, request.source)
        description = f"{options.count} samples of {request.description}, {sampler_name(chosen)}"
        if options.dry_run:
            print(f"would try {len(options.factors)} step sizes on {description}")
            return 0
        if options.compile:
            compile_networks(request.expression)
        with call.open_run(main_process=accelerator.is_main) as run, accelerator.autocast():
            generator = batch_generator(options.seed, 0, accelerator.device)
            shape = (options.count, *request.source.event_shape)
            start = torch.randn(shape, generator=generator, dtype=request.source.dtype, device=accelerator.device)
            with progress.bar(2 * len(request.schedule), "trying steps", unit="level") as shown:
                sweep = sweep_step_sizes(
                    request.expression,
                    request.schedule,
                    start,
                    chosen,
                    options.factors,
                    generator,
                    progress=lambda *_: shown.update(),
                )
            if not accelerator.is_main:
                return 0
            scales = [chosen.step_scale * factor for factor in sweep.factors]
            names = [f"{scale:.3g}" for scale in scales]
            curves = [dict(zip(names, part.numpy(), strict=True)) for part in (sweep.acceptance, sweep.distance)]
            write_atomic(run.folder / "steps.png", figure_png(sweep_figure(*curves)))
            rows = [
                {
                    "step_scale": scale,
                    "acceptance": numbers(sweep.acceptance[index]),
                    "distance": numbers(sweep.distance[index], digits=8),
                    "non_finite_proposals": sweep.non_finite[index],
                }
                for index, scale in enumerate(scales)
            ]
            run.write_json("steps.json", {"request": request.description, "kernel": chosen.kernel, "rows": rows})
    print(description)
    print(table(sweep, names))
    best = sweep.best
    if chosen.kernel in ("mala", "hmc") and best is None:
        print("at some level nothing moved with any of these sizes; try smaller ones with --factors")
    elif best is not None and chosen.kernel in ("mala", "hmc"):
        edge = best in (min(sweep.factors), max(sweep.factors))
        hint = "; it is the first or last that was tried, so try more with --factors" if edge else ""
        print(f"largest distance per evaluation: --step-scale {chosen.step_scale * best:.3g}{hint}")
    else:
        print(f"{chosen.kernel.upper()} accepts every proposal: its bias grows with the step size and is not shown")
    print(f"picture: {run.folder / 'steps.png'}")
    return 0


def table(sweep: StepSweep, names: list[str]) -> str:
    """A line for each step size: mean and lowest acceptance over the levels, distance, non-finite proposals.

    The distance is the geometric mean over the levels, by which a size is recommended.
    """
    headings = ("step scale", "acceptance", "worst level", "distance", "not finite")
    lines = ["".join(f"{heading:>{COLUMN}}" for heading in headings)]
    for index, name in enumerate(names):
        acceptance = sweep.acceptance[index][~sweep.acceptance[index].isnan()]
        cells = (
            name,
            f"{float(acceptance.mean()):.3f}",
            f"{float(acceptance.min()):.3f}",
            f"{float(sweep.mean_distance[index]):.2e}",
            str(sweep.non_finite[index]),
        )
        lines.append("".join(f"{cell:>{COLUMN}}" for cell in cells))
    return "\n".join(lines)
