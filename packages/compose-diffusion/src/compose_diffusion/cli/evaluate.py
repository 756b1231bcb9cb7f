"""The `evaluate` verb: comparison of samplers over seeds, on the exact toy, the learned toy, and guided digits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onepaper import progress
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.paper import Invocation, resolve
from onepaper.runs import write_atomic
from onepaper.torch.accelerator import Accelerator

from compose_diffusion.cli.options import EVALUATIONS, EvaluateOptions
from compose_diffusion.config.digits import NUM_DIGITS, GuidanceConfig
from compose_diffusion.config.toy import ROWS, ToyExactConfig, ToyLearnedConfig
from compose_diffusion.evaluation.digit_evaluator import default_evaluator
from compose_diffusion.evaluation.distances import distances
from compose_diffusion.evaluation.exact_toy import diagnose, ends_officially, measure, run_row
from compose_diffusion.evaluation.guided_digits import (
    ARMS,
    MEASURES,
    first_rows,
    guidance_accuracy,
    real_frechet_distance,
)
from compose_diffusion.evaluation.trained_toy import evaluate_folder, tasks_of
from compose_diffusion.models.digit_guidance import load_models
from compose_diffusion.sources.pictures import image_grid

# Widths of the columns of a table, in characters.
HEADING_WIDTH, CELL_WIDTH = 25, 15


@dataclass(frozen=True)
class Summary:
    """Mean and standard error of a measure over seeds."""

    mean: float
    standard_error: float
    """of the mean, over seeds; NaN for a single seed"""

    def __str__(self) -> str:
        return f"{self.mean:.3g}" + (f"±{self.standard_error:.2g}" if math.isfinite(self.standard_error) else "")

    def to_json(self) -> dict[str, float | None]:
        """For JSON, which has no NaN: None instead."""
        values = {"mean": self.mean, "standard_error": self.standard_error}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


def with_differences(measured: dict[str, float]) -> dict[str, float]:
    """The measures of a seed, and `difference/MEASURE`: MCMC minus reverse."""
    reverse, mcmc = ARMS
    return measured | {
        f"difference/{name}": measured[f"{mcmc}/{name}"] - measured[f"{reverse}/{name}"] for name in MEASURES
    }


def summarise(by_seed: Sequence[dict[str, float]]) -> dict[str, Summary]:
    """Mean and standard error over seeds of every measure."""
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
    """Call the evaluation of the configuration's type, see `options.EVALUATIONS`."""
    with Accelerator(call.options) as accelerator:
        return resolve(EVALUATIONS[type(call.config)])(call, accelerator)


def evaluate_guidance(call: Invocation, accelerator: Accelerator) -> int:
    """Prints the measures of both arms; writes `guidance.json` and a picture for each arm."""
    config: GuidanceConfig = call.config
    options: EvaluateOptions = call.options
    models = load_models(options.weights, accelerator)
    description = (
        f"{config.num_images} images for each of {len(options.seeds)} seeds and 2 arms, guidance {config.scale:g}"
    )
    if options.dry_run:
        print(f"would draw {description}")
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
            write_atomic(run.folder / f"{arm}.png", picture_png(image_grid(images, columns=NUM_DIGITS)))
    print(f"{description}; mean over seeds ± standard error")
    print(table(summary, (*ARMS, "difference"), list(MEASURES.items())))
    print(f"real digits: accuracy {evaluator.accuracy:.3f}, Frechet distance {real_distance:.3f}")
    print(f"written to {run.folder}: guidance.json, {', '.join(f'{arm}.png' for arm in ARMS)}")
    return 0


def evaluate_toy(call: Invocation, _accelerator: Accelerator) -> int:
    """Prints the measures of all samplers on the exact toy, on the CPU; writes `toy.json`."""
    config: ToyExactConfig = call.config
    options: EvaluateOptions = call.options
    official = ends_officially(config) if options.last_step is None else options.last_step == "official"
    description = (
        f"{config.num_samples} samples of the {config.task} for each of {len(options.seeds)} seeds, last step "
        f"{'official' if official else 'to clean data'}"
    )
    if options.dry_run:
        print(f"would draw {description} and {len(ROWS)} samplers")
        return 0
    with call.open_run() as run:
        by_seed = []
        for seed in progress.track(options.seeds, "seeds", unit="seed"):
            measured: dict[str, float] = {}
            for row in ROWS:
                result, seconds = run_row(config, row, seed, official=official)
                values = {
                    **distances(config, result.x, seed),
                    **measure(config, result.x, seed),
                    **diagnose(result),
                    "seconds": seconds,
                }
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
    print(f"{description}; mean over seeds ± standard error")
    print(table(summary, ROWS, [(name, name) for name in names]))
    print(f"written: {run.folder / 'toy.json'}")
    return 0


def evaluate_learned_toy(call: Invocation, _accelerator: Accelerator) -> int:
    """Prints measures of trained toy networks and of all samplers on their compositions; writes `learned.json`."""
    config: ToyLearnedConfig = call.config
    options: EvaluateOptions = call.options
    description = f"{', '.join(tasks_of(config))} for each of {len(options.seeds)} seeds and {len(ROWS)} samplers"
    if options.dry_run:
        print(f"would draw {description}")
        return 0
    if options.weights is None:
        raise UsageError(
            "the toy's networks do not ship with the package, expected --weights with a `train` run's folder"
        )
    with call.open_run() as run:
        seeds = progress.track(options.seeds, "seeds", unit="seed")
        by_seed = [evaluate_folder(options.weights, config, seed) for seed in seeds]
        quality, drawn = (summarise(part) for part in zip(*by_seed, strict=True))
        run.write_json(
            "learned.json",
            {
                "seeds": list(options.seeds),
                "quality": {name: value.to_json() for name, value in quality.items()},
                "summary": {name: value.to_json() for name, value in drawn.items()},
                "by_seed": [{**measured, **samples} for measured, samples in by_seed],
            },
        )
    print(f"{description}; mean over seeds ± standard error")
    for columns, part in ((("exact", "trained"), quality), (ROWS, drawn)):
        lines = [name.removeprefix(f"{columns[0]}/") for name in part if name.startswith(f"{columns[0]}/")]
        print(table(part, columns, [(name, name) for name in lines]))
    print(f"written: {run.folder / 'learned.json'}")
    return 0
