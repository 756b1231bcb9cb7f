"""Samplers compared: classifier guidance of real digits with and without MCMC (claim C10), and the exact toy.

Both arms of the guidance follow the same score, the unconditional denoiser's plus lambda times the gradient of
log p(y | x_t), from the same initial noise. One takes reverse steps only; the other also takes MCMC moves at every
level it arrives at.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from onepaper import progress
from onepaper.paper import Invocation
from onepaper.torch.accelerator import Accelerator
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from compose_diffusion.config import EvaluateOptions
from compose_diffusion.digits.config import NUM_DIGITS, DigitsConfig, GuidanceConfig
from compose_diffusion.digits.data import IMAGE_SIZE
from compose_diffusion.digits.evaluation import ARMS, MEASURES, first_rows, guidance_accuracy, real_frechet_distance
from compose_diffusion.digits.evaluator import default_evaluator
from compose_diffusion.digits.guidance import load_models
from compose_diffusion.digits.model import Denoiser, NoisyClassifier
from compose_diffusion.pictures import image_grid, write_png
from compose_diffusion.toy.config import ROWS, ToyExactConfig
from compose_diffusion.toy.exact import diagnose, measure, run_row

# Characters of a table's headings and cells.
HEADING_WIDTH, CELL_WIDTH = 25, 15


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
