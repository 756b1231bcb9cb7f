"""Training of the end-to-end network on raw audio, and of the network on functionals (paper, section 3.4)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.torch.steps import TorchState, TorchTask
from onepaper.training import Hook
from torch import Tensor

from audio_datasets.config import (
    DataConfig,
    EndToEndExperiment,
    FeaturesExperiment,
    FineTuningExperiment,
    MLPConfig,
    MultitaskExperiment,
)
from audio_datasets.data.clips import ClipSet, pad_waveforms
from audio_datasets.data.loaders import load
from audio_datasets.evaluation import Evaluation
from audio_datasets.extraction.store import stored_features
from audio_datasets.features.functionals import Scaler, clip_features
from audio_datasets.models.emo18 import EndToEnd, output_loss
from audio_datasets.models.mlp import MLP
from audio_datasets.pretrained.networks import Network
from audio_datasets.selection import LOSS, Choice, fit_network
from audio_datasets.tasks.metrics import mean_ccc, uar

# Clips that are scored at once.
_CHUNK = 32


class EndToEndModel(NamedTuple):
    """A network on raw audio, and how it was chosen."""

    network: EndToEnd
    choice: Choice


class FeatureModel(NamedTuple):
    """A network on functionals with the statistics that standardise them, and how it was chosen."""

    network: MLP
    scaler: Scaler
    choice: Choice

    def predict(self, features: Float[np.ndarray, "clips features"]) -> Float[np.ndarray, "clips outputs"]:
        """Outputs for functionals as `clip_features` gives them."""
        with torch.inference_mode():
            return self.network(torch.as_tensor(self.scaler(features))).numpy()


def read_waveforms(clips: ClipSet, data: DataConfig) -> list[Float32[np.ndarray, " _frames"]]:
    """The audio of all clips.

    Raises:
        UsageError: a file that cannot be read; the message names it.
    """
    return [clip.read(data.rate, data.max_seconds) for clip in clips]


def supervision(clips: ClipSet) -> npt.NDArray[Any]:
    """Indices of classes, or ratings where the set has no classes."""
    return clips.labels() if clips.classes else clips.ratings().astype(np.float32)


def train_end_to_end(
    config: EndToEndExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    clips: ClipSet | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> EndToEndModel:
    """Train the network on the train split of a data set, or resume its training.

    Args:
        config: data, network, optimiser, number of steps.
        run: destination of checkpoints and logs; None writes none.
        seed: of weights and order of the clips; of several, the first.
        accelerator: device, precision and processes; the best device by default.
        clips: labelled clips of your own; None: those of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Returns:
        The network in evaluation mode, as `config.selection` chooses it.

    Raises:
        UsageError: missing or unreadable data, or data that do not fit the network.
    """
    clips = check_clips(clips, config) if clips else load_checked(config)
    train, validation = clips.split("train"), clips.split("validation")
    waveforms, targets = read_waveforms(train, config.data), supervision(train)
    held_out, held_out_targets = read_waveforms(validation, config.data), supervision(validation)
    kind = config.model.kind

    def loss(model: EndToEnd, batch: Mapping[str, Tensor], generator: torch.Generator) -> tuple[Tensor, int]:
        outputs = model(batch["frames"], batch["counts"])
        return output_loss(outputs, batch["targets"], kind), len(outputs)

    task = TorchTask(
        lambda: EndToEnd(config.model),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def gather(chosen: npt.NDArray[np.int64]) -> Mapping[str, npt.NDArray[Any]]:
        frames, counts = pad_waveforms([waveforms[index] for index in chosen], config.model.frame)
        return {"frames": frames, "counts": counts, "targets": targets[chosen]}

    def evaluate(state: TorchState) -> dict[str, float]:
        with task.evaluating(state) as model:
            assert isinstance(model, EndToEnd)
            return measure(predict(model, held_out), held_out_targets, kind)

    return EndToEndModel(*fit_network(task, gather, len(train), config, run, seed, evaluate, hooks))


def train_on_features(
    config: FeaturesExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    clips: ClipSet | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> FeatureModel:
    """Train the network on standardised functionals; arguments and errors as for `train_end_to_end`."""
    clips = check_clips(clips, config) if clips else load_checked(config)
    train, validation = clips.split("train"), clips.split("validation")
    kind = "classes" if clips.classes else "regression"
    outputs = len(clips.classes) or len(clips.targets)
    parts = [(features_of(part, config), supervision(part)) for part in (train, validation)]
    # The two parts are unpacked, which type checkers cannot count.
    return fit_features(config, *parts, kind, outputs, run, seed=seed, accelerator=accelerator, hooks=hooks)  # type: ignore[call-arg]


def fit_features(
    config: FeaturesExperiment,
    train: tuple[Float32[np.ndarray, "clips features"], npt.NDArray[Any]],
    validation: tuple[Float32[np.ndarray, "others features"], npt.NDArray[Any]],
    kind: Literal["classes", "regression"],
    outputs: int,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    hooks: Sequence[Hook[TorchState]] = (),
) -> FeatureModel:
    """Train the network of `train_on_features` on features of any kind.

    Args:
        config: widths, batch size, optimiser and number of steps.
        train: features of the clips and what they are trained on: indices of classes, or ratings.
        validation: the same of the clips that are scored between steps.
        kind: of the targets.
        outputs: number of classes or targets.
        run: as of `train_end_to_end`, like the rest.
    """
    scaler = Scaler.fit(train[0])
    inputs, targets = scaler(train[0]), train[1]
    held_out, held_out_targets = scaler(validation[0]), validation[1]
    model_config = MLPConfig(inputs.shape[1], outputs, kind, config.widths)

    def loss(model: MLP, batch: Mapping[str, Tensor], generator: torch.Generator) -> tuple[Tensor, int]:
        return output_loss(model(batch["inputs"]), batch["targets"], kind), len(batch["inputs"])

    task = TorchTask(
        lambda: MLP(model_config), loss, config.optimizer, total_steps=config.loop.steps, accelerator=accelerator
    )

    def gather(chosen: npt.NDArray[np.int64]) -> Mapping[str, npt.NDArray[Any]]:
        return {"inputs": inputs[chosen], "targets": targets[chosen]}

    def evaluate(state: TorchState) -> dict[str, float]:
        with task.evaluating(state) as model:
            outputs = model(torch.as_tensor(held_out, device=task.accelerator.device)).cpu().numpy()
        return measure(outputs, held_out_targets, kind)

    network, choice = fit_network(task, gather, len(inputs), config, run, seed, evaluate, hooks)
    return FeatureModel(network, scaler, choice)


def load_configured(data: DataConfig) -> ClipSet:
    """The clips of a configuration.

    Raises:
        UsageError: no such data.
    """
    return load(data.dataset, data.root, trim=data.trim, strict_official=data.strict_official)


def load_checked(config: EndToEndExperiment | FeaturesExperiment | FineTuningExperiment) -> ClipSet:
    """The labelled clips of an experiment.

    Raises:
        UsageError: no such data, or another number of classes or targets than the network's.
    """
    return check_clips(load_configured(config.data), config)


def check_clips(clips: ClipSet, config: EndToEndExperiment | FeaturesExperiment | FineTuningExperiment) -> ClipSet:
    """The labelled clips of a set.

    Raises:
        UsageError: another number of classes or targets than the network's.
    """
    clips = clips.labelled() if clips.classes else clips.where(lambda clip: bool(clip.targets))
    if isinstance(config, EndToEndExperiment):
        kind, outputs = ("classes", len(clips.classes)) if clips.classes else ("regression", len(clips.targets))
        if (config.model.kind, config.model.outputs) != (kind, outputs):
            raise UsageError(
                f"the network has {config.model.outputs} outputs of kind {config.model.kind}, but '{clips.name}' has "
                f"{outputs} of kind {kind}; set --model.outputs and --model.kind"
            )
    return clips


def features_of(
    clips: ClipSet, config: FeaturesExperiment | MultitaskExperiment
) -> Float32[np.ndarray, "clips features"]:
    """Functionals of each clip, or its stored features."""
    if config.stored is not None:
        return stored_features(config.stored, clips, strict_official=config.data.strict_official)
    waveforms = (clip.read(config.features.rate, config.data.max_seconds) for clip in clips)
    return np.stack([clip_features(waveform, config.features) for waveform in waveforms])


def predict(model: EndToEnd, waveforms: list[Float32[np.ndarray, " _frames"]]) -> Float[np.ndarray, "clips outputs"]:
    """Outputs of the network for each waveform, on the network's device."""
    device = next(model.parameters()).device
    outputs = []
    with torch.inference_mode():
        for begin in range(0, len(waveforms), _CHUNK):
            frames, counts = pad_waveforms(waveforms[begin : begin + _CHUNK], model.config.frame)
            outputs.append(model(torch.as_tensor(frames, device=device), torch.as_tensor(counts, device=device)).cpu())
    return torch.cat(outputs).numpy()


def evaluate_network(network: Network, clips: ClipSet) -> Evaluation:
    """Predictions of a trained network for labelled clips, at the rate it was trained with.

    Raises:
        UsageError: clips with other classes or targets than the network's outputs, without labels, or unreadable.
    """
    names = clips.classes or clips.targets
    if names != network.outputs:
        raise UsageError(
            f"the network predicts {', '.join(network.outputs)}, but '{clips.name}' has {', '.join(names)}; use "
            "weights that were trained on it"
        )
    outputs = predict(network.model, read_waveforms(clips, network.data))
    kind = network.model.config.kind
    predicted = outputs.argmax(axis=1) if kind == "classes" else sigmoid(outputs)
    return Evaluation(tuple(clips.values("id")), supervision(clips), predicted, tuple(clips.groups()), names, kind)


def score(outputs: Float[np.ndarray, "clips outputs"], targets: npt.NDArray[Any], kind: str) -> float:
    """UAR of classes, or mean CCC of ratings."""
    if kind == "classes":
        return uar(targets, outputs.argmax(axis=1))
    return mean_ccc(targets, sigmoid(outputs))


def sigmoid(outputs: Float[np.ndarray, "clips outputs"]) -> Float[np.ndarray, "clips outputs"]:
    """Ratings in [0, 1] from outputs of a network."""
    return 1 / (1 + np.exp(-outputs.astype(np.float64)))


def measure(outputs: Float[np.ndarray, "clips outputs"], targets: npt.NDArray[Any], kind: str) -> dict[str, float]:
    """The mean loss over clips and the score, as `fit_network` takes them."""
    loss = output_loss(torch.as_tensor(outputs), torch.as_tensor(targets), kind)
    name = "uar" if kind == "classes" else "ccc"
    return {f"validation_{LOSS}": float(loss) / len(outputs), f"validation_{name}": score(outputs, targets, kind)}
