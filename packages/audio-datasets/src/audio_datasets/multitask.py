"""Training of the ExVo multitask baseline: ratings, age and country from features of a clip (paper, section 3.3)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook
from torch import Tensor

from audio_datasets.config import MultitaskConfig, MultitaskExperiment
from audio_datasets.data.clips import ClipSet
from audio_datasets.data.loaders import load
from audio_datasets.data.vocal_bursts import multitask_targets
from audio_datasets.features.functionals import Scaler
from audio_datasets.models.mlp import Multitask
from audio_datasets.selection import LOSS, Choice, fit_network
from audio_datasets.tasks.definitions import MAX_AGE, get_task
from audio_datasets.tasks.scoring import task_metrics
from audio_datasets.training import features_of

_SCORE = "S_MTL"


class MultitaskModel(NamedTuple):
    """The network with the statistics that standardise its features, and how it was chosen."""

    network: Multitask
    scaler: Scaler
    choice: Choice

    def predict(self, features: Float[np.ndarray, "clips features"]) -> Float[np.ndarray, "clips 12"]:
        """Number of the country, age in years and ten ratings, as in a submission."""
        return _rows(self.network, torch.as_tensor(self.scaler(features)))


def load_multitask(config: MultitaskExperiment) -> tuple[ClipSet, Float[np.ndarray, "clips 12"]]:
    """The clips of a copy of ExVo with country, age and ratings, as rows of a submission.

    Raises:
        UsageError: no such copy, or labels that cannot be read.
    """
    clips = load(config.data.dataset, config.data.root, trim=config.data.trim)
    assert config.data.root is not None  # otherwise `load` refuses
    return clips, multitask_targets(config.data.root, clips)


def train_multitask(
    config: MultitaskExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    labels: tuple[ClipSet, Float[np.ndarray, "clips 12"]] | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> MultitaskModel:
    """Train the baseline on the train split of a copy of ExVo; arguments as for `training.train_end_to_end`, and
    `labels` as `load_multitask` gives them.

    Raises:
        UsageError: no such copy, or labels of the train or validation split that are blank.
    """
    clips, targets = labels or load_multitask(config)
    splits = np.array(clips.values("split"))
    train, validation = (
        (features_of(clips.split(name), config), targets[splits == name].astype(np.float32))
        for name in ("train", "validation")
    )
    return fit_multitask(config, train, validation, run, seed=seed, accelerator=accelerator, hooks=hooks)


def fit_multitask(
    config: MultitaskExperiment,
    train: tuple[Float32[np.ndarray, "clips features"], Float32[np.ndarray, "clips 12"]],
    validation: tuple[Float32[np.ndarray, "others features"], Float32[np.ndarray, "others 12"]],
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> MultitaskModel:
    """Train the baseline on features of any kind; `train` and `validation` are features and rows of targets.

    Raises:
        UsageError: targets that are blank.
    """
    for name, (_, targets) in (("train", train), ("validation", validation)):
        if not np.isfinite(targets).all():
            raise UsageError(f"labels of the {name} split are blank; expected country, age and ratings of every clip")
    scaler = Scaler.fit(train[0])
    inputs, held_out = scaler(train[0]), scaler(validation[0])
    task = TorchTask(
        lambda: Multitask(MultitaskConfig(inputs.shape[1])),
        multitask_loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def gather(chosen: npt.NDArray[np.int64]) -> Mapping[str, Float32[np.ndarray, "..."]]:
        return {"inputs": inputs[chosen], "targets": train[1][chosen]}

    def evaluate(state: TorchState) -> dict[str, float]:
        with task.evaluating(state) as model:
            assert isinstance(model, Multitask)
            batch = {"inputs": held_out, "targets": validation[1]}
            batch = {name: torch.as_tensor(value, device=task.accelerator.device) for name, value in batch.items()}
            rows = _rows(model, batch["inputs"])
            loss, count = multitask_loss(model, batch, torch.Generator())
        score = task_metrics(get_task("exvo-multitask"))[_SCORE](validation[1], rows)
        return {f"validation_{LOSS}": float(loss) / count, f"validation_{_SCORE}": score}

    network, choice = fit_network(task, gather, len(inputs), config, run, seed, evaluate, hooks)
    return MultitaskModel(network, scaler, choice)


def multitask_loss(
    model: Multitask, batch: Mapping[str, Tensor], generator: torch.Generator
) -> tuple[Float[Tensor, ""], int]:
    """The weighted losses times the number of clips, and that number.

    Squared errors of the ratings are summed over the ten; the country has cross-entropy, the age squared errors in
    years squared.
    """
    emotions, age, country = model(batch["inputs"])
    targets = batch["targets"]
    losses = torch.stack(
        [
            (torch.sigmoid(emotions) - targets[:, 2:]).square().sum(dim=1).mean(),
            (age - targets[:, 1]).square().mean(),
            F.cross_entropy(country, targets[:, 0].long()),
        ]
    )
    return model.weigh(losses) * len(targets), len(targets)


@torch.inference_mode()
def _rows(model: Multitask, inputs: Tensor) -> Float[np.ndarray, "clips 12"]:
    emotions, age, country = model(inputs)
    columns = [country.argmax(dim=1, keepdim=True), age.clamp(0, MAX_AGE)[:, None], torch.sigmoid(emotions)]
    return torch.cat([column.double() for column in columns], dim=1).cpu().numpy()
