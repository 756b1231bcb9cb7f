"""Drawing digits: what is asked for becomes an expression, a sampler draws from it, the evaluator judges the result."""

import dataclasses
import io
import time
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from onepaper import progress
from onepaper.config import to_dict
from onepaper.paper import Invocation
from onepaper.runs import Run, write_atomic
from onepaper.torch.accelerator import Accelerator
from torch import Tensor

from compose_diffusion.composition import Expression
from compose_diffusion.config import SampleOptions
from compose_diffusion.digits.config import NUM_DIGITS
from compose_diffusion.digits.data import IMAGE_SIZE
from compose_diffusion.digits.evaluator import default_evaluator
from compose_diffusion.digits.guidance import CLIP_X0, MOVES, guided_by_classifier, guided_by_label, load_models
from compose_diffusion.digits.model import DigitModels
from compose_diffusion.pictures import image_grid, write_png
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.samplers import draw


def sampler_options(options: SampleOptions) -> SamplerOptions:
    """The sampler that the command line describes."""
    if options.sampler == "reverse":
        return SamplerOptions(method="reverse", clip_x0=CLIP_X0)
    moves = MOVES[options.sampler]
    return dataclasses.replace(
        moves,
        method="reverse-mcmc" if options.ancestral else "annealed",
        steps_per_level=options.steps_per_level,
        step_scale=moves.step_scale if options.step_scale is None else options.step_scale,
        line_points=options.line_points,
        clip_x0=CLIP_X0,
    )


def requested(models: DigitModels, options: SampleOptions) -> Expression:
    """The composition that the command line describes."""
    guided = guided_by_label if options.by == "label" else guided_by_classifier
    return guided(models, options.all_of, options.none_of, weight=options.guidance, negation=options.negation)


def sample_verb(call: Invocation) -> int:
    """The `sample` verb: draws images, writes `samples.png`, `samples.npz`, `samples.json`, and says what is seen."""
    options = call.options
    accelerator = Accelerator(options)
    models = load_models(options.weights, accelerator)
    expression, chosen = requested(models, options), sampler_options(options)
    if options.dry_run:
        print(f"would draw {options.count} images by {_sampler_name(chosen)}: {_request(options)}")
        return 0
    generator = torch.Generator(accelerator.device).manual_seed(options.seed)
    with (
        call.open_run() as run,
        accelerator.autocast(),
        progress.bar(len(models.schedule), "sampling", unit="level") as shown,
    ):
        begun = time.perf_counter()
        result = draw(
            expression,
            models.schedule,
            (options.count, 1, IMAGE_SIZE, IMAGE_SIZE),
            chosen,
            generator,
            progress=lambda *_: shown.update(),
        )
        seconds = time.perf_counter() - begun
        network_evaluations = result.gradient_evaluations * len(expression.leaves())
        seen = default_evaluator().predict(result.x)
        picture = run.folder / "samples.png"
        write_png(picture, image_grid(result.x))
        _write_arrays(run, result.x, seen)
        verdict = judge(seen, options.all_of, options.none_of)
        run.write_json(
            "samples.json",
            {
                "sampler": to_dict(chosen),
                "seen": torch.bincount(seen, minlength=NUM_DIGITS).tolist(),
                **verdict,
                "evaluator_accuracy": default_evaluator().accuracy,
                "network_evaluations": network_evaluations,
                "seconds": round(seconds, 3),
            },
        )
    counts = ", ".join(f"{digit}: {count}" for digit, count in enumerate(torch.bincount(seen).tolist()) if count)
    print(f"{_request(options)}; {options.count} images by {_sampler_name(chosen)}")
    print(f"seen by the evaluator (right on {default_evaluator().accuracy:.1%} of real digits): {counts}")
    for name, share in verdict.items():
        print(f"{name.replace('_', ' ')}: {share:.1%}")
    print(f"{network_evaluations} network evaluations for each image, {seconds:.1f} s")
    print(f"picture: {picture}")
    return 0


def judge(seen: Int[Tensor, " count"], wanted: Sequence[int], unwanted: Sequence[int]) -> dict[str, float]:
    """Shares of images that show one of the wanted digits, and that show one of the unwanted.

    The evaluator names one digit for each image, so with several wanted an image counts that passes for any of them.
    """
    verdict = {}
    if wanted:
        verdict["wanted_digit_seen"] = float(torch.isin(seen, torch.tensor(wanted)).double().mean())
    if unwanted:
        verdict["unwanted_digit_seen"] = float(torch.isin(seen, torch.tensor(unwanted)).double().mean())
    return verdict


def _write_arrays(run: Run, images: Tensor, seen: Tensor) -> None:
    arrays = io.BytesIO()
    np.savez_compressed(arrays, images=images.cpu().numpy(), seen=seen.numpy())
    write_atomic(run.folder / "samples.npz", arrays.getvalue())


def _request(options: SampleOptions) -> str:
    """What was asked for, in words."""
    parts = []
    if options.all_of:
        parts.append(f"all of {', '.join(map(str, options.all_of))} (weight {options.guidance:g})")
    if options.none_of:
        parts.append(f"none of {', '.join(map(str, options.none_of))} (weight {options.negation:g})")
    return f"{' and '.join(parts)} by {options.by}" if parts else "any digit"


def _sampler_name(options: SamplerOptions) -> str:
    if options.method == "reverse":
        return "the reverse process"
    before = "reverse steps and " if options.method == "reverse-mcmc" else ""
    return f"{before}{options.steps_per_level} {options.kernel.upper()} moves at each level"
