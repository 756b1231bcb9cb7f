"""Drawing digits: what is asked for becomes an expression, a sampler draws from it, the evaluator judges the result."""

import dataclasses
import io
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from onepaper import progress
from onepaper.config import to_dict
from onepaper.paper import Invocation
from onepaper.runs import Run, write_atomic
from onepaper.torch.accelerator import Accelerator
from torch import Tensor

from compose_diffusion.composition import Expression, WeightedProduct, guidance
from compose_diffusion.config import NUM_DIGITS, SampleOptions
from compose_diffusion.data import IMAGE_SIZE
from compose_diffusion.evaluator import default_evaluator
from compose_diffusion.leaves import ClassifierLeaf, PredictionLeaf
from compose_diffusion.model import DigitModels
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.samplers import draw

# Pixels lie in [-1, 1]; reverse steps keep their estimate of the clean image there.
CLIP_X0 = 1.0
# Of a picture: screen pixels for each image pixel, and between images.
ENLARGEMENT = 8
GAP = 4

# A class for all images, or one for each.
Label = int | Int[Tensor, " batch"]


def label_leaf(models: DigitModels, label: Label | None) -> PredictionLeaf:
    """The denoiser given a class; given None, unconditional."""
    label = models.denoiser.null_label if label is None else label
    condition = torch.as_tensor(label, dtype=torch.long).reshape(-1)
    return PredictionLeaf(models.denoiser, models.schedule, condition=condition)


def guided_by_label(
    models: DigitModels,
    wanted: Sequence[Label],
    unwanted: Sequence[Label] = (),
    *,
    weight: float,
    negation: float = 1.0,
) -> Expression:
    r"""$L_\emptyset + w \sum_{y\ wanted} (L_y - L_\emptyset) - v \sum_{y\ unwanted} (L_y - L_\emptyset)$ (section 3.3).

    Without any class, the unconditional model.

    Args:
        wanted: classes to show, all of them.
        unwanted: classes not to show.
        weight: w.
        negation: v.
    """
    unconditional = label_leaf(models, None)
    conditionals = [label_leaf(models, label) for label in (*wanted, *unwanted)]
    weights = [weight] * len(wanted) + [-negation] * len(unwanted)
    return guidance(unconditional, conditionals, weights) if conditionals else unconditional


def guided_by_classifier(
    models: DigitModels,
    wanted: Sequence[Label],
    unwanted: Sequence[Label] = (),
    *,
    weight: float,
    negation: float = 1.0,
) -> Expression:
    r"""$L_\emptyset + w \sum_{y\ wanted} \log p(y | x_t) - v \sum_{y\ unwanted} \log p(y | x_t)$ (section 3.3).

    Only the unconditional denoiser is used; arguments as of `guided_by_label`.
    """
    unconditional = label_leaf(models, None)
    leaves = [ClassifierLeaf(models.classifier, label) for label in (*wanted, *unwanted)]
    weights = [weight] * len(wanted) + [-negation] * len(unwanted)
    return WeightedProduct([unconditional, *leaves], [1.0, *weights])


# Moves that suit these digits. Steps follow the curvature, which is about 1 / sigma_t^2: a Langevin step is a squared
# length, a Hamiltonian one a length. Momentum has no use between levels whose moves are mostly noise.
MOVES: Mapping[str, SamplerOptions] = {
    "ula": SamplerOptions(kernel="ula", step_law="sigma-power", step_scale=0.05, step_power=2.0),
    "mala": SamplerOptions(kernel="mala", step_law="sigma-power", step_scale=0.05, step_power=2.0),
    "uhmc": SamplerOptions(kernel="uhmc", step_law="sigma-power", step_scale=0.2, momentum="per-level"),
    "hmc": SamplerOptions(kernel="hmc", step_law="sigma-power", step_scale=0.2, momentum="per-level"),
}


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


def load_models(weights: Path | None, accelerator: Accelerator) -> DigitModels:
    """The networks of a folder (by default those shipped), on the accelerator's device and compiled if it says so."""
    models = DigitModels.from_pretrained(weights, accelerator.device)
    if accelerator.options.compile:
        models.denoiser.compile()
        models.classifier.compile()
    return models


def requested(models: DigitModels, options: SampleOptions) -> Expression:
    """The composition that the command line describes."""
    guided = guided_by_label if options.by == "label" else guided_by_classifier
    return guided(models, options.all_of, options.none_of, weight=options.guidance, negation=options.negation)


def image_grid(
    images: Float[Tensor, "count 1 height width"], columns: int | None = None
) -> UInt8[np.ndarray, "rows columns"]:
    """Images in [-1, 1] side by side, row by row, as one grey picture with dark ink; pixels stay square and sharp.

    Args:
        images: at least one.
        columns: images in a row; about twice as many as rows if absent.
    """
    count = len(images)
    columns = columns or min(count, max(10, math.ceil(math.sqrt(2 * count))))
    ink = (images.detach().cpu().double().clamp(-1, 1).numpy() + 1) / 2
    missing = -count % columns
    ink = np.concatenate([ink, np.zeros((missing, *ink.shape[1:]))])
    ink = ink.repeat(ENLARGEMENT, axis=2).repeat(ENLARGEMENT, axis=3)
    ink = np.pad(ink, [(0, 0), (0, 0), (GAP // 2, GAP // 2), (GAP // 2, GAP // 2)])
    picture = rearrange(ink, "(rows columns) 1 h w -> (rows h) (columns w)", columns=columns)
    return np.round(255 * (1 - picture)).astype(np.uint8)


def write_png(path: Path, picture: UInt8[np.ndarray, "rows columns"]) -> None:
    """Write a grey picture, whole or not at all."""
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="PNG")
    write_atomic(path, encoded.getvalue())


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
