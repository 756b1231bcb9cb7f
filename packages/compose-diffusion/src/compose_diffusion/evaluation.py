"""Samplers compared: classifier guidance of real digits with and without MCMC (claim C10), and the exact toy.

Both arms of the guidance follow the same score, the unconditional denoiser's plus lambda times the gradient of
log p(y | x_t), from the same initial noise. One takes reverse steps only; the other also takes MCMC moves at every
level it arrives at.
"""

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper import progress
from onepaper.paper import Invocation
from onepaper.torch.accelerator import Accelerator
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.config import NUM_DIGITS, DigitsConfig, EvaluateOptions, GuidanceConfig
from compose_diffusion.data import IMAGE_SIZE, balanced_labels, load_digits
from compose_diffusion.evaluator import Evaluator, default_evaluator, nearest_distances
from compose_diffusion.model import Denoiser, DigitModels, NoisyClassifier
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.samplers import draw
from compose_diffusion.sampling import guided_by_classifier, image_grid, load_models, write_png
from compose_diffusion.toy import diagnose, measure, run_row
from compose_diffusion.toy_config import ROWS, ToyExactConfig

ARMS = ("reverse", "mcmc")
# Characters of a table's headings and cells.
HEADING_WIDTH, CELL_WIDTH = 25, 15
# What is measured of each arm, with the heading it has in the table.
MEASURES = {
    "accuracy": "accuracy",
    "frechet_distance": "Frechet distance",
    "nearest_distance": "distance to training data",
    "network_evaluations": "network evaluations",
    "seconds": "seconds",
}


@dataclass(frozen=True, eq=False)
class GuidedSamples:
    """What one seed drew.

    Attributes:
        measured: `ARM/MEASURE` -> number, for both `ARMS` and all `MEASURES`.
        labels: [count], digits asked for, the same in both arms.
        images: arm -> [count, 1, 8, 8].
    """

    measured: dict[str, float]
    labels: Int[Tensor, " count"]
    images: dict[str, Float[Tensor, "count 1 height width"]]


def guidance_accuracy(
    config: GuidanceConfig,
    seed: int,
    models: DigitModels | None = None,
    evaluator: Evaluator | None = None,
) -> GuidedSamples:
    """Both arms for one seed.

    Accuracy is the share of images in which the evaluator sees the digit asked for. The Frechet distance is that of
    `Evaluator.frechet_distance`, to the evaluator's own images. The distance to training data is the median over
    images of the root mean square difference to the nearest image that the denoiser was trained on.

    Args:
        config: guidance scale, number of images, the MCMC arm's sampler.
        seed: of the initial noise, which both arms share, and of what each arm draws after.
        models: by default, those that ship with the package.
        evaluator: by default, the one trained on the split that the models have not seen.
    """
    models = DigitModels.from_pretrained() if models is None else models
    evaluator = default_evaluator() if evaluator is None else evaluator
    device = next(models.denoiser.parameters()).device
    labels = balanced_labels(config.num_images)
    expression = guided_by_classifier(models, [labels.to(device)], weight=config.scale)
    training_images = load_digits("model").images
    generator = torch.Generator(device)
    start = torch.randn(
        config.num_images, 1, IMAGE_SIZE, IMAGE_SIZE, generator=generator.manual_seed(seed), device=device
    )
    after_start = generator.get_state()
    measured: dict[str, float] = {}
    images: dict[str, Tensor] = {}
    for arm, options in _arms(config).items():
        generator.set_state(after_start)
        begun = time.perf_counter()
        result = draw(expression, models.schedule, start, options, generator)
        seconds = time.perf_counter() - begun
        images[arm] = result.x.cpu()
        values = {
            "accuracy": float(evaluator.correct(images[arm], labels).mean()),
            "frechet_distance": evaluator.frechet_distance(images[arm]),
            "nearest_distance": float(nearest_distances(images[arm], training_images).median()),
            "network_evaluations": float(result.gradient_evaluations * len(expression.leaves())),
            "seconds": seconds,
        }
        measured |= {f"{arm}/{name}": value for name, value in values.items()}
    return GuidedSamples(measured, labels, images)


def _arms(config: GuidanceConfig) -> dict[str, SamplerOptions]:
    reverse = dataclasses.replace(config.mcmc, method="reverse")
    return dict(zip(ARMS, (reverse, config.mcmc), strict=True))


def first_rows(samples: GuidedSamples, rows: int = 4) -> dict[str, Float[Tensor, "count 1 height width"]]:
    """The first images of each arm, a row for each ten, in the order of the digits asked for."""
    return {arm: images[: NUM_DIGITS * rows] for arm, images in samples.images.items()}


def real_frechet_distance(count: int, evaluator: Evaluator | None = None) -> float:
    """Frechet distance of `count` real images that the evaluator has not seen: what perfect samples would score.

    The mean over ten draws, for the distance of few images varies.
    """
    evaluator = default_evaluator() if evaluator is None else evaluator
    images = load_digits("model").images
    chosen = (np.random.default_rng(seed).permutation(len(images))[:count] for seed in range(10))
    return float(np.mean([evaluator.frechet_distance(images[torch.from_numpy(indices)]) for indices in chosen]))


@dataclass(frozen=True)
class Summary:
    """A measure over seeds."""

    mean: float
    standard_error: float
    """of the mean, from the spread between seeds; NaN for a single seed"""

    def __str__(self) -> str:
        return f"{self.mean:.3g}" + (f"±{self.standard_error:.2g}" if math.isfinite(self.standard_error) else "")

    def to_json(self) -> dict[str, float | None]:
        """As JSON, which knows no NaN."""
        values = {"mean": self.mean, "standard_error": self.standard_error}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


def with_differences(measured: dict[str, float]) -> dict[str, float]:
    """What a seed measured, and `difference/MEASURE`: MCMC minus reverse."""
    reverse, mcmc = ARMS
    return measured | {
        f"difference/{name}": measured[f"{mcmc}/{name}"] - measured[f"{reverse}/{name}"] for name in MEASURES
    }


def summarise(by_seed: Sequence[dict[str, float]]) -> dict[str, Summary]:
    """Mean and standard error over seeds of every name."""
    return {name: _summary([measured[name] for measured in by_seed]) for name in by_seed[0]}


def _summary(values: Sequence[float]) -> Summary:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Summary(float(np.mean(values)), spread / math.sqrt(len(values)))


def table(summary: dict[str, Summary], columns: Sequence[str], measures: Sequence[tuple[str, str]]) -> str:
    """A line for each measure, a column for each of `columns`.

    Args:
        summary: by `COLUMN/MEASURE`.
        columns: their names are the headings.
        measures: name and heading of each line.
    """
    lines = [" " * HEADING_WIDTH + "".join(f"{column:>{CELL_WIDTH}}" for column in columns)]
    for name, heading in measures:
        cells = [summary[f"{column}/{name}"] for column in columns]
        lines.append(f"{heading:<{HEADING_WIDTH}}" + "".join(f"{cell!s:>{CELL_WIDTH}}" for cell in cells))
    return "\n".join(lines)


def evaluate_verb(call: Invocation) -> int:
    """The `evaluate` verb: every sampler of the exact toy, or both arms of guided digits, depending on the preset."""
    with Accelerator(call.options) as accelerator:
        if isinstance(call.config, ToyExactConfig):
            return _evaluate_toy(call, call.config, call.options)
        return _evaluate_guidance(call, call.config, call.options, accelerator)


def _evaluate_guidance(
    call: Invocation, config: GuidanceConfig, options: EvaluateOptions, accelerator: Accelerator
) -> int:
    """Prints the table of both arms; writes `guidance.json` and a picture for each arm."""
    models = load_models(options.weights, accelerator)
    told = f"{config.num_images} images for each of {len(options.seeds)} seeds and 2 arms, guidance {config.scale:g}"
    if options.dry_run:
        print(f"would draw {told}")
        return 0
    with call.open_run() as run, accelerator.autocast():
        evaluator = default_evaluator()
        seeds = progress.track(options.seeds, "seeds", unit="seed")
        drawn = [guidance_accuracy(config, seed, models, evaluator) for seed in seeds]
        summary = summarise([with_differences(samples.measured) for samples in drawn])
        real_distance = real_frechet_distance(config.num_images, evaluator)
        run.write_json(
            "guidance.json",
            {
                "num_images": config.num_images,
                "seeds": list(options.seeds),
                "summary": {name: value.to_json() for name, value in summary.items()},
                "by_seed": [samples.measured for samples in drawn],
                "evaluator_accuracy": evaluator.accuracy,
                "real_frechet_distance": real_distance,
            },
        )
        for arm, images in first_rows(drawn[0]).items():
            write_png(run.folder / f"{arm}.png", image_grid(images, columns=NUM_DIGITS))
    print(f"{told}; mean over seeds ± standard error")
    print(table(summary, (*ARMS, "difference"), list(MEASURES.items())))
    print(f"real digits: accuracy {evaluator.accuracy:.3f}, Frechet distance {real_distance:.3f}")
    print(f"written to {run.folder}: guidance.json, {', '.join(f'{arm}.png' for arm in ARMS)}")
    return 0


def _evaluate_toy(call: Invocation, config: ToyExactConfig, options: EvaluateOptions) -> int:
    """Prints the table of all samplers on the exact toy, which runs on the CPU; writes `toy.json`."""
    told = f"{config.num_samples} samples of the {config.task} for each of {len(options.seeds)} seeds"
    if options.dry_run:
        print(f"would draw {told} and {len(ROWS)} samplers")
        return 0
    with call.open_run() as run:
        by_seed = []
        for seed in progress.track(options.seeds, "seeds", unit="seed"):
            measured: dict[str, float] = {}
            for row in ROWS:
                result, seconds = run_row(config, row, seed)
                values = {**measure(config, result.x, seed), **diagnose(result), "seconds": seconds}
                measured |= {f"{row}/{name}": value for name, value in values.items()}
            by_seed.append(measured)
        summary = summarise(by_seed)
        run.write_json(
            "toy.json",
            {
                "seeds": list(options.seeds),
                "summary": {name: value.to_json() for name, value in summary.items()},
                "by_seed": by_seed,
            },
        )
    names = [name.removeprefix(f"{ROWS[0]}/") for name in by_seed[0] if name.startswith(f"{ROWS[0]}/")]
    print(f"{told}; mean over seeds ± standard error")
    print(table(summary, ROWS, [(name, name) for name in names]))
    print(f"written: {run.folder / 'toy.json'}")
    return 0


def cost_of(config: DigitsConfig | GuidanceConfig | ToyExactConfig) -> dict[str, str]:
    """What a configuration takes: of networks to train, parameters, operations and memory; else the samples drawn."""
    if isinstance(config, ToyExactConfig):
        return {"parameters": "0", "samples": f"{config.num_samples} for each sampler and seed"}
    if isinstance(config, GuidanceConfig):
        return {
            "images": f"{config.num_images} for each arm and seed",
            "moves at each level": f"0 and {config.mcmc.steps_per_level}",
        }
    networks = {
        "denoiser": training_cost(Denoiser(config.denoiser), config.denoiser_fit.batch_size),
        "classifier": training_cost(NoisyClassifier(config.classifier), config.classifier_fit.batch_size),
    }
    return {f"{name} of the {network}": value for network, costs in networks.items() for name, value in costs.items()}


def training_cost(model: Denoiser | NoisyClassifier, batch_size: int) -> dict[str, str]:
    """Parameters, operations of a training step, and memory: weights, gradient, two moments, average, activations."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    images, t = torch.zeros(batch_size, 1, IMAGE_SIZE, IMAGE_SIZE), torch.zeros(batch_size, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        model(images, t).sum().backward()
    memory = 5 * 4 * parameters + sum(kept.values())
    return {
        "parameters": f"{parameters:,}",
        "FLOPs of a training step": f"{counter.get_total_flops():.2e}",
        "memory": f"{memory / 2**20:.0f} MiB",
    }
