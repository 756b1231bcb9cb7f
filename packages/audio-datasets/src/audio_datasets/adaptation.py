"""Few-shot adaptation: a trained network learns from two clips of a speaker before it rates the others (paper, section
3.3). The official code is ExVo2022/ExVo-FewShot/evaluation.py of github.com/HumeAI/competitions.

Each speaker starts from the trained weights, and the predictions are those after the step. The official code goes on
from speaker to speaker and stores the predictions before the step.
"""

import copy
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32
from onepaper.errors import UsageError

from audio_datasets.config import AdaptationConfig
from audio_datasets.data.clips import pad_waveforms
from audio_datasets.models.emo18 import EndToEnd, output_loss
from audio_datasets.tasks.few_shot import Episode
from audio_datasets.training import predict, sigmoid


def adapt_network(
    model: EndToEnd,
    waveforms: Sequence[Float32[np.ndarray, " _frames"]],
    ratings: Float[np.ndarray, "clips targets"],
    config: AdaptationConfig,
) -> EndToEnd:
    """A copy of the network after steps on the labelled clips of one speaker.

    Batch normalisation keeps its statistics, since those of two clips say little.

    Raises:
        UsageError: a network of classes, or ratings that are missing.
    """
    if model.config.kind != "regression":
        raise UsageError("adaptation is of networks that rate; train one with kind regression")
    if not np.isfinite(ratings).all():
        raise UsageError("the clips that a network adapts to have no ratings; expected numbers in all columns")
    adapted = copy.deepcopy(model).eval()
    adapted.encoder.requires_grad_(False)
    device = next(adapted.parameters()).device
    frames, counts = (torch.as_tensor(part, device=device) for part in pad_waveforms(waveforms, model.config.frame))
    targets = torch.as_tensor(ratings, dtype=torch.float32, device=device)
    optimizer = torch.optim.AdamW([value for value in adapted.parameters() if value.requires_grad], lr=config.lr)
    for _ in range(config.steps):
        optimizer.zero_grad()
        # The official loss is the mean over clips and ratings.
        (output_loss(adapted(frames, counts), targets, "regression") / targets.numel()).backward()
        optimizer.step()
    return adapted


def predict_episodes(
    model: EndToEnd,
    waveforms: Sequence[Float32[np.ndarray, " _frames"]],
    ratings: Float[np.ndarray, "clips targets"],
    episodes: Sequence[Episode],
    config: AdaptationConfig,
) -> Float[np.ndarray, "clips targets"]:
    """Ratings of the queries of every speaker by the network adapted to that speaker; NaN in other rows."""
    found = np.full(ratings.shape, np.nan)
    for _, support, queries in episodes:
        adapted = adapt_network(model, [waveforms[row] for row in support], ratings[support], config)
        found[queries] = sigmoid(predict(adapted, [waveforms[row] for row in queries]))
    return found


def shift_episodes(
    predicted: Float[np.ndarray, "clips targets"],
    ratings: Float[np.ndarray, "clips targets"],
    episodes: Sequence[Episode],
) -> npt.NDArray[np.float64]:
    r"""Ratings of the queries plus a shift for each speaker, $\frac{n}{n + 1}$ times the mean error on $n$ clips.

    It is the posterior mean of the speaker's shift where shifts vary as much between speakers as errors do within one;
    for baselines on features, which have no weights to adapt. NaN in other rows.

    Raises:
        UsageError: ratings of the clips to adapt to are missing.
    """
    found = np.full(ratings.shape, np.nan)
    for speaker, support, queries in episodes:
        if not np.isfinite(ratings[support]).all():
            raise UsageError(f"the clips of '{speaker}' that are adapted to have no ratings; expected numbers")
        errors = ratings[support] - predicted[support]
        found[queries] = np.clip(predicted[queries] + errors.mean(axis=0) * len(support) / (len(support) + 1), 0, 1)
    return found
