"""The HEAR interface (Turian et al., 2022), both ways: this module is a HEAR module, and others can be evaluated.

Timestamp embeddings are scene embeddings of windows of one second, centred on their timestamps; the clip is padded with
zeros on both sides.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.weights import find_weights
from torch import Tensor, nn

from hares.evaluation import Embedding
from hares.features.keys import tensors_digest
from hares.models.encoder import Encoder
from hares.presets import LAPTOP, STATISTICS
from hares.pretrained.mule import Mule
from hares.pretrained.peers import PEERS, VoiceActivity

_HOP_SECONDS, _WINDOW_SECONDS, _BATCH = 0.05, 1.0, 64
_HEAR_RATES = (16_000, 22_050, 32_000, 44_100, 48_000)


class HearModel(nn.Module):
    """An encoder with the attributes that HEAR reads."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.sample_rate = encoder.rate
        self.scene_embedding_size = self.timestamp_embedding_size = encoder.embed_dim

    def forward(self, audio: Float[Tensor, "clips samples"]) -> Float[Tensor, "clips dim"]:
        """The embeddings of clips."""
        return self.encoder(audio).float()


def load_model(model_file_path: str = "") -> HearModel:
    """The shipped encoder, that of a training run, or of a folder that `Encoder.save_pretrained` wrote.

    Raises:
        UsageError: there are no such weights.
    """
    return HearModel(Encoder.from_pretrained(find_weights(model_file_path or "simclr", "hares"))).eval()


@torch.no_grad()
def get_scene_embeddings(audio: Float[Tensor, "clips samples"], model: HearModel) -> Float[Tensor, "clips dim"]:
    """One embedding a clip, the mean over its windows of one second.

    Args:
        audio: in [-1, 1], at the model's rate.
        model: of `load_model`.
    """
    _check(audio)
    length = round(_WINDOW_SECONDS * model.sample_rate)
    padded = nn.functional.pad(audio, (0, max(0, length - audio.shape[1])))
    starts = [*range(0, padded.shape[1] - length, length), padded.shape[1] - length]
    return torch.stack([model(padded[:, start : start + length]) for start in starts]).mean(0)


@torch.no_grad()
def get_timestamp_embeddings(
    audio: Float[Tensor, "clips samples"], model: HearModel
) -> tuple[Float[Tensor, "clips times dim"], Float[Tensor, "clips times"]]:
    """Embeddings every 50 ms, and the centres of their windows in milliseconds from the beginning of the clip."""
    _check(audio)
    hop, length = round(_HOP_SECONDS * model.sample_rate), round(_WINDOW_SECONDS * model.sample_rate)
    count = max(1, audio.shape[1] // hop)
    # Window k is centred at (k + 1/2) hop, inside the clip if that has a hop of samples.
    before = length // 2 - hop // 2
    padded = nn.functional.pad(audio, (before, length + hop))
    windows = padded.unfold(1, length, hop)[:, :count].flatten(0, 1)
    rows = torch.cat([model(part) for part in windows.split(_BATCH)])
    times = (torch.arange(count) + 0.5) * hop * 1000.0 / model.sample_rate
    return rows.reshape(len(audio), count, -1), times.expand(len(audio), -1).to(audio.device)


def _check(audio: Tensor) -> None:
    if audio.ndim != 2 or not audio.shape[1]:
        raise UsageError(f"audio has shape {tuple(audio.shape)}, expected (clips, samples) with at least one sample")


class HearEmbedding:
    """Another HEAR module as an `Embedding`.

    Args:
        module: name of an installed module with `load_model` and `get_scene_embeddings`.
        weights: the path that its `load_model` gets.

    Raises:
        UsageError: the module is not installed, or lacks a function or attribute of the interface.
    """

    def __init__(self, module: str, weights: str | Path = "") -> None:
        try:
            self._module: Any = importlib.import_module(module)
        except ImportError as error:
            raise UsageError(f"cannot import the HEAR module '{module}': {error}; install it") from None
        for name in ("load_model", "get_scene_embeddings"):
            if not callable(getattr(self._module, name, None)):
                raise UsageError(f"'{module}' has no {name}; expected a module with the HEAR interface")
        self._model = self._module.load_model(str(weights))
        self.rate = int(getattr(self._model, "sample_rate", 0))
        if self.rate not in _HEAR_RATES:
            raise UsageError(f"'{module}' has the sampling rate {self.rate}, expected one of {_HEAR_RATES}")
        # The interface names neither version nor weights; of a network they are known.
        if isinstance(self._model, nn.Module):
            self.identity = f"{module} {type(self._model).__qualname__} {tensors_digest(self._model)}"

    def __call__(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch dim"]:
        """The embeddings of clips."""
        return self._module.get_scene_embeddings(samples, self._model)


def open_embedding(name: str) -> Embedding:
    """An embedding by name: shipped weights, statistics, random, silero-vad, a folder of weights, mule:FOLDER, or
    hear:MODULE.

    Raises:
        UsageError: there is none of that name, or its package is not installed.
    """
    if name.startswith("hear:"):
        return HearEmbedding(name.removeprefix("hear:"))
    if name.startswith("mule:"):
        return Mule(name.removeprefix("mule:"))
    if name in PEERS:
        return VoiceActivity()
    if name == "statistics":
        return Encoder(STATISTICS).eval()
    if name == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Encoder(LAPTOP.encoder).eval()
    return Encoder.from_pretrained(find_weights(name, "hares"))
