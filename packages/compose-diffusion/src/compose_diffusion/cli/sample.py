"""The `sample` verb: draw from an expression, a canvas, or digits named by options."""

import dataclasses
import time
import warnings

import torch
from jaxtyping import Float
from onepaper.config import to_dict
from onepaper.display.file_bytes import figure_png, npz_bytes
from onepaper.display.gallery import write_gallery
from onepaper.paper import Invocation
from onepaper.runs import Run, write_atomic
from onepaper.torch.accelerator import Accelerator
from torch import Tensor, nn

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.cli.level_figures import curves_by_level
from compose_diffusion.cli.options import SampleOptions
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.samplers.batches import SampleBatch, draw_batches
from compose_diffusion.sources.registry import parse_paths
from compose_diffusion.sources.requests import Models, Request, canvas_request, digits_request, expression_request
from compose_diffusion.sources.source import Source


def requested(options: SampleOptions, device: torch.device) -> Request:
    """What the command line describes.

    Raises:
        UsageError: see `sources.requests` and `sources.registry.parse_paths`.
    """
    models = Models(parse_paths(options.leaf), options.weights, options.num_levels, device)
    if options.canvas is not None:
        return canvas_request(models, options.canvas)
    if options.expression.strip():
        return expression_request(models, options.expression)
    return digits_request(
        models,
        options.all_of,
        options.none_of,
        guidance=options.guidance,
        negation=options.negation,
        by=options.by,
    )


def sampler_options(options: SampleOptions, source: Source) -> SamplerOptions:
    """The sampler that the command line describes; what it leaves open are the source's defaults for the kernel."""
    if options.sampler == "reverse":
        return SamplerOptions(method="reverse", clip_x0=source.clip_x0)
    weighted = options.sampler == "fkc"
    defaults = source.kernel_defaults["ula" if weighted else options.sampler]
    return dataclasses.replace(
        defaults,
        method="fkc" if weighted else "reverse-mcmc" if options.ancestral else "annealed",
        steps_per_level=defaults.steps_per_level if options.steps_per_level is None else options.steps_per_level,
        step_scale=defaults.step_scale if options.step_scale is None else options.step_scale,
        line_points=options.line_points,
        first_level=defaults.first_level if options.first_level is None else options.first_level,
        last_level=defaults.last_level if options.last_level is None else options.last_level,
        clip_x0=None if weighted else source.clip_x0,
    )


def draw_request(
    request: Request, chosen: SamplerOptions, options: SampleOptions, accelerator: Accelerator
) -> SampleBatch:
    """`options.count` samples of a request."""
    return draw_batches(
        request.expression,
        request.schedule,
        (options.count, *request.source.event_shape),
        chosen,
        accelerator,
        batch_size=options.batch_size,
        seed=options.seed,
        dtype=request.source.dtype,
    )


def sample_verb(call: Invocation) -> int:
    """Writes `samples.png`, `.npz` and `.json` and a page with them; prints what an independent evaluator finds."""
    options: SampleOptions = call.options
    with Accelerator(options) as accelerator:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            request = requested(options, accelerator.device)
        chosen = sampler_options(options, request.source)
        description = f"{options.count} samples by {sampler_name(chosen)}"
        if accelerator.is_main:
            for warning in caught:
                print(f"warning: {warning.message}")
        if options.dry_run:
            if accelerator.is_main:
                print(f"would draw {description}: {request.description}")
            return 0
        if options.compile:
            compile_networks(request.expression)
        with call.open_run(main_process=accelerator.is_main) as run, accelerator.autocast():
            begun = time.perf_counter()
            drawn = draw_request(request, chosen, options, accelerator)
            seconds = time.perf_counter() - begun
            if accelerator.is_main:
                print(f"{request.description}; {description}")
                _write(run, request, chosen, drawn, seconds)
    return 0


def _write(run: Run, request: Request, chosen: SamplerOptions, drawn: SampleBatch, seconds: float) -> None:
    """Write the files of a run and print its summary."""
    network_evaluations = drawn.evaluations * len(request.expression.leaves())
    found = {
        kind: request.source.attribute_accuracy(drawn.x, conditions)
        for kind, conditions in (("wanted", request.wanted), ("unwanted", request.unwanted))
        if conditions or (kind == "wanted" and not request.unwanted)
    }
    ran = drawn.acceptance[~drawn.acceptance.isnan()]
    weighted = drawn.ess[~drawn.ess.isnan()]
    picture = run.folder / "samples.png"
    request.write_picture(drawn.x, picture)
    write_atomic(run.folder / "samples.npz", npz_bytes(samples=drawn.x.numpy()))
    run.write_json(
        "samples.json",
        {
            "request": request.description,
            "sampler": to_dict(chosen),
            "attribute_accuracy": found,
            "acceptance": numbers(drawn.acceptance),
            "effective_sample_size": numbers(drawn.ess),
            "resamplings": drawn.resamplings,
            "non_finite_proposals": drawn.non_finite,
            "network_evaluations": network_evaluations,
            "seconds": round(seconds, 3),
        },
    )
    for kind, fractions in found.items():
        for name, fraction in fractions.items():
            print(f"{kind}: {name} {fraction:.1%}")
    if len(ran) and chosen.kernel in ("mala", "hmc"):
        print(f"acceptance: {float(ran.mean()):.3f} on average, {float(ran.min()):.3f} at the worst level")
    if len(weighted):
        print(
            f"effective sample size: {float(weighted.min()):.0f} of {len(drawn.x)} at the worst level; resampled "
            f"{drawn.resamplings} times"
        )
    by_level = {"acceptance": drawn.acceptance, "effective sample size, fraction": drawn.ess / len(drawn.x)}
    shown = {name: values.numpy() for name, values in by_level.items() if not bool(values.isnan().all())}
    if shown and (len(weighted) or chosen.kernel in ("mala", "hmc")):
        write_atomic(run.folder / "levels.png", figure_png(curves_by_level(shown)))
    if drawn.non_finite:
        print(f"{drawn.non_finite} proposals were not finite and were rejected; lower --step-scale")
    print(f"{network_evaluations} network evaluations for each sample, {seconds:.1f} s")
    page = write_gallery(run.folder, f"{request.description}: {len(drawn.x)} samples by {sampler_name(chosen)}")
    print(f"picture: {picture}")
    print(f"page: {page}")


def numbers(values: Float[Tensor, " n"], digits: int = 4) -> list[float | None]:
    """Rounded numbers for JSON, which has no NaN: None instead."""
    return [None if value != value else round(value, digits) for value in values.tolist()]


def compile_networks(expression: Expression) -> None:
    """Compile the networks of all leaves, in place."""
    held = {id(part): part for leaf in expression.leaves() for part in vars(leaf).values()}
    for part in held.values():
        if isinstance(part, nn.Module):
            part.compile()


def sampler_name(options: SamplerOptions) -> str:
    """Description of a sampler."""
    if options.method == "reverse":
        return "the reverse process"
    steps = f"{options.steps_per_level} {options.kernel.upper()} steps at each level"
    if options.method == "fkc":
        return f"the Feynman-Kac corrector{f' and {steps}' if options.steps_per_level else ''}"
    return steps if options.method == "annealed" else f"reverse steps and {steps}"
