"""Latents and text features of a data set, computed once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from onepaper.errors import OnePaperError
from onepaper.torch.state_files import write_safetensors
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from imagen3.data.buckets import Ragged
from imagen3.data.pictures import Pictures
from imagen3.models.networks import AnyAutoencoder
from imagen3.text.encoder import TextEncoder, TextFeatures
from imagen3.training.autoencoder import encode_all

CACHE_NAME = "features.safetensors"


@dataclass(frozen=True, eq=False)
class FeatureCache:
    """Everything that the denoiser learns from; text 0 is the empty one."""

    mean: Float[Tensor, "pictures channels height width"] | Ragged
    log_variance: Float[Tensor, "pictures channels height width"] | Ragged
    tokens: Float[Tensor, "texts length dim"]
    mask: Bool[Tensor, "texts length"]
    pooled: Float[Tensor, "texts dim"]
    picture: Int[Tensor, " texts"]
    """number of the picture of a text; -1 of the empty one"""
    original: Bool[Tensor, " texts"]
    """whether the text came with the picture"""

    @property
    def empty(self) -> TextFeatures:
        """Features of the empty text, in a batch of one."""
        return self.text(np.zeros(1, np.int64))

    def text(self, numbers: Int[np.ndarray, " batch"]) -> TextFeatures:
        """Features of texts by their number."""
        return TextFeatures(self.tokens[numbers].float(), self.mask[numbers], self.pooled[numbers].float())


def build_cache(autoencoder: AnyAutoencoder, encoder: TextEncoder, pictures: Pictures) -> FeatureCache:
    """Encode all pictures and captions, in half precision but for the latents."""
    pixels = pictures.pixels
    if isinstance(pixels, Ragged):
        parts = [encode_all(autoencoder, part) for part in pixels.parts]
        mean, log_variance = (Ragged([part[index] for part in parts], pixels.order) for index in range(2))
    else:
        mean, log_variance = encode_all(autoencoder, pixels)
    rows = [(number, caption) for number, own in enumerate(pictures.captions) for caption in own]
    features = encoder.encode(["", *(caption.text for _, caption in rows)])
    return FeatureCache(
        mean,
        log_variance,
        features.tokens.half(),
        features.mask,
        features.pooled.half(),
        torch.tensor([-1, *(number for number, _ in rows)]),
        torch.tensor([False, *(caption.original for _, caption in rows)]),
    )


def save_cache(folder: Path, cache: FeatureCache) -> None:
    """Write one file; latents of several sizes as `mean.0`, `mean.1` and so on, with the number of each in `order`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in vars(cache).items():
        if isinstance(value, Ragged):
            tensors |= {f"{name}.{index}": part for index, part in enumerate(value.parts)}
            tensors["order"] = torch.from_numpy(value.order)
        else:
            tensors[name] = value
    write_safetensors(folder / CACHE_NAME, tensors)


def read_cache(folder: Path) -> FeatureCache:
    """What `save_cache` wrote.

    Raises:
        OnePaperError: the file is missing or damaged.
    """
    try:
        tensors: dict[str, Any] = load_file(folder / CACHE_NAME)
        if "order" in tensors:
            order = tensors.pop("order").numpy()
            for name in ("mean", "log_variance"):
                sizes = sum(own.startswith(f"{name}.") for own in tensors)
                tensors[name] = Ragged([tensors.pop(f"{name}.{index}") for index in range(sizes)], order)
        return FeatureCache(**tensors)
    except (SafetensorError, OSError, TypeError, KeyError, IndexError, ValueError) as error:
        raise OnePaperError(f"{folder / CACHE_NAME} is damaged ({error}); remove {folder} to make it again") from error


class CaptionChoice:
    """Which text goes with a picture: the original one, or one of the synthetic ones (paper, section 2).

    Args:
        cache: pictures and their texts.
        synthetic_share: probability of a synthetic text, where a picture has one.
    """

    def __init__(self, cache: FeatureCache, synthetic_share: float) -> None:
        self._share = synthetic_share
        owner, original = cache.picture.numpy(), cache.original.numpy()
        numbers = range(len(cache.mean))
        self._original = [np.flatnonzero((owner == number) & original) for number in numbers]
        self._synthetic = [np.flatnonzero((owner == number) & ~original) for number in numbers]

    def __call__(self, pictures: Int[np.ndarray, " batch"], generator: np.random.Generator) -> np.ndarray:
        """A text for each picture, by number."""
        chosen = []
        for number, draw in zip(pictures, generator.random(len(pictures)), strict=True):
            synthetic, original = self._synthetic[number], self._original[number]
            texts = synthetic if len(synthetic) and (draw < self._share or not len(original)) else original
            chosen.append(texts[generator.integers(len(texts))])
        return np.array(chosen)
