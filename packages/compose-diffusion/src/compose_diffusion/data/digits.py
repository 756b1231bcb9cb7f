"""Real handwritten digits, 8 x 8 pixels, as distributed with scikit-learn; DATA.md states their source and licence.

There are two fixed, disjoint splits: "model" for the generative models and the guiding classifier, "evaluator" for the
classifier that evaluates their samples.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.config import check_choice
from onepaper.errors import OnePaperError, UsageError
from torch import Tensor

from compose_diffusion.config.digits import NUM_DIGITS
from compose_diffusion.config.reuse import AttributeConfig

SPLITS = ("model", "evaluator")
IMAGE_SIZE = 8
NUM_IMAGES = 1797
# Pixels count the dark points of a 4 x 4 cell of the scan, 0 to 16.
MAX_PIXEL = 16
# SHA-256 of pixels and labels as unsigned bytes: all recorded results were measured on these images.
CONTENT_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


@dataclass(frozen=True, eq=False)
class Digits:
    """Labelled images.

    Attributes:
        images: [count, 1, 8, 8] in [-1, 1]: background -1, ink 1.
        labels: [count], 0 to 9.
    """

    images: Float[Tensor, "count 1 height width"]
    labels: Int[Tensor, " count"]

    def __len__(self) -> int:
        return len(self.labels)


def load_digits(split: str) -> Digits:
    """The images of one split, "model" or "evaluator", in their original order.

    Every third image of each class belongs to "evaluator", so both splits have the same class frequencies.

    Raises:
        UsageError: no such split.
        OnePaperError: the images of the installed scikit-learn differ from those of the recorded results.
    """
    check_choice("split", split, SPLITS)
    pixels, labels = _bundled()
    index_in_class = np.zeros(len(labels), dtype=np.int64)
    for label in range(NUM_DIGITS):
        members = labels == label
        index_in_class[members] = np.arange(members.sum())
    chosen = (index_in_class % 3 == 2) == (split == "evaluator")
    images = pixels[chosen].astype(np.float32).reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE) / (MAX_PIXEL / 2) - 1
    return Digits(torch.from_numpy(images), torch.from_numpy(labels[chosen].astype(np.int64)))


@lru_cache(maxsize=1)
def _bundled() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits as read

    pixels, labels = (np.asarray(values).astype(np.uint8) for values in read(return_X_y=True))
    found = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    if found != CONTENT_SHA256:
        raise OnePaperError(
            f"scikit-learn's digits have SHA-256 {found[:12]}, expected {CONTENT_SHA256[:12]} ({NUM_IMAGES} images); "
            "reinstall scikit-learn"
        )
    return pixels, labels


def balanced_labels(count: int) -> Int[Tensor, " count"]:
    """Labels 0, 1, ..., 9, 0, 1, ...; every class equally often if ten divides `count`."""
    return torch.arange(count) % NUM_DIGITS


def ink(images: Float[Tensor, "count 1 height width"]) -> Float[Tensor, " count"]:
    """Mean ink of each image, from 0 (background only) to 1."""
    return ((images.flatten(1).double() + 1) / 2).clamp(0.0, 1.0).mean(dim=1)


def ink_threshold() -> float:
    """Median ink of the training images; images with more ink count as thick."""
    return float(ink(load_digits("model").images).median())


def attribute_images(config: AttributeConfig, split: str) -> Float[Tensor, "count 1 height width"]:
    """The images of a split that have the attribute.

    Raises:
        UsageError: there are none.
    """
    digits = load_digits(split)
    chosen = torch.isin(digits.labels, torch.tensor(config.digits))
    if config.strokes == "thick":
        chosen &= ink(digits.images) > ink_threshold()
    if not bool(chosen.any()):
        raise UsageError(f"no image of split '{split}' shows one of {list(config.digits)} in {config.strokes} strokes")
    return digits.images[chosen]
