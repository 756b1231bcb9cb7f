"""Which network a training gives: early stopping on the validation split, and the best of several seeds.

The protocol is that of the official A-VB2022/feature_based/main.py of github.com/HumeAI/competitions, which keeps the
weights of the last epoch; `keep="best"` takes those of the best one.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Int
from onepaper.data import BatchSampler
from onepaper.runs import Run, write_atomic
from onepaper.torch.state_files import read_safetensors
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import METRICS_NAME, Hook, fit, read_metrics
from torch import Tensor

from audio_datasets.config import (
    EndToEndExperiment,
    FeaturesExperiment,
    FineTuningExperiment,
    MultitaskExperiment,
    SelectionConfig,
)

LOSS = "loss"
"""name under which an evaluation gives the mean loss; what else it gives is the score"""
_BEST = "best.safetensors"
_Experiment = EndToEndExperiment | FeaturesExperiment | FineTuningExperiment | MultitaskExperiment


class Choice(NamedTuple):
    """The network that was taken, and what all seeds reached.

    Attributes:
        metric: of the validation split.
        seed: of the best training.
        step: after which its weights were taken.
        scores: seed -> score on the validation split.
    """

    metric: str
    seed: int
    step: int
    scores: dict[int, float]

    def __str__(self) -> str:
        values = list(self.scores.values())
        all_of_them = ", ".join(f"{value:.3f}" for value in values)
        spread = f"; seeds {min(self.scores)} to {max(self.scores)}: {all_of_them} (mean {np.mean(values):.3f}, "
        return (
            f"{self.metric} {self.scores[self.seed]:.3f} on the validation split by seed {self.seed} after step "
            f"{self.step:,}" + (f"{spread}standard deviation {np.std(values):.3f})" if len(values) > 1 else "")
        )


class _Exhausted(Exception):
    """Nothing has improved for `patience` evaluations."""


def is_exhausted(values: Sequence[float], patience: int, min_delta: float) -> bool:
    """Whether the last `patience` values are not lower by `min_delta` than the lowest counted before them."""
    lowest, waited = np.inf, 0
    for value in values:
        if value <= lowest - min_delta:
            lowest, waited = value, 0
        else:
            waited += 1
    return 0 < patience <= waited


class _Watch:
    """A hook that follows the evaluations of one training, keeps the best weights, and ends it."""

    def __init__(self, task: TorchTask, selection: SelectionConfig, run: Run | None) -> None:
        self._task, self._selection = task, selection
        self._kept: dict[str, Tensor] = {}
        self._path = run.folder / _BEST if run else None
        self.state: TorchState | None = None
        self.metric = ""
        self.evaluations: dict[int, tuple[float, float]] = {}
        for row in read_metrics(run.folder / METRICS_NAME) if run else ():
            self._enter(row["step"], row)

    def __call__(self, step: int, state: TorchState, row: Mapping[str, Any]) -> None:
        self.evaluations = {before: value for before, value in self.evaluations.items() if before < step}
        if not self._enter(step, row):
            return
        self.state = state
        if self._selection.keep == "best" and self.step == step:
            with self._task.evaluating(state) as model:
                self._kept = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            if self._path is not None and self._task.accelerator.is_main:
                from safetensors.torch import save

                write_atomic(self._path, save(self._kept))
        if is_exhausted([*map(self._value, self.evaluations)], self._selection.patience, self._selection.min_delta):
            raise _Exhausted

    def _enter(self, step: int, row: Mapping[str, Any]) -> bool:
        found = {key.removeprefix("evaluate/validation_"): row[key] for key in row if key.startswith("evaluate/")}
        if not found:
            return False
        (self.metric,) = set(found) - {LOSS}
        loss, score = (np.nan if value is None else float(value) for value in (found[LOSS], found[self.metric]))
        self.evaluations[step] = loss, score
        return True

    def _value(self, step: int) -> float:
        """What is to be low."""
        loss, score = self.evaluations[step]
        return loss if self._selection.monitor == "loss" else -score

    @property
    def step(self) -> int:
        """After which the weights are taken; 0 without an evaluation."""
        if self._selection.keep == "last":
            return max(self.evaluations, default=0)
        return min(self.evaluations, key=self._value, default=0)

    @property
    def score(self) -> float:
        """On the validation split, of the weights that are taken."""
        return self.evaluations[self.step][1] if self.evaluations else float("nan")

    def network(self, state: TorchState) -> Any:
        """The network on the CPU, in evaluation mode."""
        with self._task.evaluating(state) as model:
            network = copy.deepcopy(model).cpu()
        if self._selection.keep == "best" and self.evaluations:
            if self._kept:
                network.load_state_dict(self._kept)
            elif self._path is not None:  # the best evaluation was before this command
                read_safetensors(self._path, network.state_dict())
        return network


def fit_network(
    task: TorchTask,
    gather: Callable[[Int[np.ndarray, " n"]], Mapping[str, npt.NDArray[Any]]],
    length: int,
    config: _Experiment,
    run: Run | None,
    seed: int,
    evaluate: Callable[[TorchState], Mapping[str, float]],
    hooks: Sequence[Hook[TorchState]],
) -> tuple[Any, Choice]:
    """Train with each seed; the best network on the CPU, in evaluation mode, and how it was chosen.

    Args:
        task: model, loss and optimiser.
        gather: the batch of these clips.
        length: number of clips to train on.
        config: batch size, length of the training, and `selection`.
        run: of several seeds, each has a folder in it, `seed-N`.
        seed: the first of `config.selection.seeds`.
        evaluate: `validation_loss` and one score.
        hooks: called after each log row.
    """
    best: tuple[float, _Watch, int, Any] | None = None
    scores: dict[int, float] = {}
    accelerator, several = task.accelerator, config.selection.seeds > 1
    for number in range(seed, seed + config.selection.seeds):
        sampler = BatchSampler(length, config.batch_size, seed=number, rank=accelerator.rank, world=accelerator.world)
        part = run
        if run is not None and several:
            part = replace(run, folder=run.folder / f"seed-{number}")
            part.folder.mkdir(exist_ok=True)
        watch = _Watch(task, config.selection, part)
        finished = True
        try:
            fitted = fit(
                task, lambda step, sampler=sampler: gather(sampler(step)), config.loop, part, seed=number,
                evaluate=evaluate, hooks=(*hooks, watch), processes=accelerator,
            )  # fmt: skip
            state, finished = fitted.state, fitted.finished
        except _Exhausted:
            assert watch.state is not None
            state = watch.state
        scores[number] = watch.score
        if best is None or watch.score > best[0] or np.isnan(best[0]):
            best = watch.score, watch, number, watch.network(state)
        if not finished:  # the time of this command is over
            break
    assert best is not None
    _, watch, number, network = best
    return network, Choice(watch.metric, number, watch.step, scores)
