"""Evaluation of a folder of trained toy networks: predictions against exact ones, and compositions by every sampler.

Results are numbers by `COLUMN/LINE`, for a table.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from onepaper.errors import UsageError

from compose_diffusion.algebra.composition import Leaf
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.toy import ROWS, ToyExactConfig, ToyLearnedConfig
from compose_diffusion.data.circles import make_component
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.evaluation import toy_suite as suite
from compose_diffusion.evaluation.distances import distances
from compose_diffusion.evaluation.learned_toy import TERMS, denoising_errors, network_leaf, run_task
from compose_diffusion.models.toy import load_network

NUM_SAMPLES = 1000


def tasks_of(config: ToyLearnedConfig) -> list[str]:
    """The tasks whose components the configuration has; mixtures only for energies."""
    have = set(config.components)
    toy = [name for name, terms in TERMS.items() if have.issuperset(terms)]
    nine = [task.name for task in suite.SUITE.values() if have.issuperset(task.terms)]
    operators = {**{name: name for name in TERMS}, **{task.name: task.operator for task in suite.SUITE.values()}}
    scores = config.network.form == "score"
    return [name for name in (*toy, *nine) if not (scores and operators[name] == "mixture")]


def evaluate_folder(
    folder: Path, config: ToyLearnedConfig, seed: int, *, rows: Sequence[str] = ROWS, num_samples: int = NUM_SAMPLES
) -> tuple[dict[str, float], dict[str, float]]:
    """Measure the networks of a `train` run.

    Args:
        folder: of the run, or its export, with a folder for each component.
        config: of the training.
        seed: of held-out points and of sampling.
        rows: samplers, with the step sizes of the official toy notebook.
        num_samples: drawn of each task by each sampler.

    Returns:
        `trained/NAME loss`, `exact/NAME loss` and the same for the lower bound (ELBO, nats a sample); and
        `ROW/TASK MEASURE` for every task of `tasks_of`.

    Raises:
        UsageError: a component's folder is missing, or was trained on other noise levels.
    """
    schedule = make_schedule(config.network.schedule)
    leaves: dict[str, Leaf] = {}
    for name in config.components:
        network = load_network(folder / name)
        if network.config.schedule != config.network.schedule:
            raise UsageError(
                f"{folder / name} was trained on {network.config.schedule}, expected {config.network.schedule}; "
                "evaluate with the preset it was trained with"
            )
        leaves[name] = network_leaf(network.requires_grad_(False), schedule)
    quality: dict[str, float] = {}
    for name, leaf in leaves.items():
        distribution = make_component(name)
        for column, evaluated in (("exact", ExactLeaf(distribution, schedule)), ("trained", leaf)):
            errors = denoising_errors(evaluated, distribution, schedule, seed=seed)
            quality |= {f"{column}/{name} loss": errors.loss, f"{column}/{name} ELBO": errors.elbo}
    drawn = {
        f"{row}/{task} {measure}": value
        for task in tasks_of(config)
        for row in rows
        for measure, value in _draw(task, leaves, schedule, row, num_samples, seed).items()
    }
    return quality, drawn


def _draw(
    task: str, leaves: Mapping[str, Leaf], schedule: NoiseSchedule, row: str, num_samples: int, seed: int
) -> dict[str, float]:
    options = ToyExactConfig(num_levels=len(schedule)).sampler(row)
    if task == "negation":
        return run_task(task, leaves, schedule, options, num_samples, seed)[1]
    if task in TERMS:
        result, measured = run_task(task, leaves, schedule, options, num_samples, seed)
        exact = ToyExactConfig(task="product" if task == "product" else "mixture")
        return {**distances(exact, result.x, seed), **measured}
    return suite.run_task(suite.suite_task(task), leaves, schedule, options, num_samples, seed)[1]
