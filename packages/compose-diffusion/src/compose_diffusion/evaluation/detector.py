"""An independent detector that evaluates canvases: presence of a digit at a position, and number of digits.

It is trained on images that no generative model has seen, to separate windows with a digit at their centre from windows
with background, parts of digits, displaced or faint digits. It detects any digit; `digit_evaluator` classifies them.
It is a small MLP on pixels, with neither data nor architecture in common with the networks. Training takes seconds, so
it is not stored.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from onepaper.config import check_choice
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.config.positions import DIGIT_SIZE, CanvasConfig
from compose_diffusion.data.canvases import Canvases, draw_canvases
from compose_diffusion.data.digits import SPLITS

# A window has the digit and this many pixels around it, so that displaced digits are visible as cut off.
MARGIN = 1
WINDOW = DIGIT_SIZE + 2 * MARGIN
# Largest distance, in x and in y, between a requested position and a detected digit.
TOLERANCE = 1
# Two detections nearer than this, in x and in y, are one digit.
SAME_DIGIT = 5
# Training data: number of canvases; smallest distance of a negative window to every digit; fraction of digits that are
# made faint and count as negative, and the range of their remaining ink.
NUM_CANVASES = 700
MIN_OFFSET = 3
FAINT = 0.2
FAINTNESS = (0.15, 0.45)
HIDDEN = 64
NUM_MEASURED = 200


class Detector:
    """Detects digits on canvases.

    Args:
        split: of the training digits.
        config: of the training canvases.
        seed: of canvases, windows and weights.
    """

    def __init__(self, split: str = "evaluator", config: CanvasConfig | None = None, seed: int = 0) -> None:
        from sklearn.neural_network import MLPClassifier

        check_choice("split", split, SPLITS)
        self.config = config or CanvasConfig()
        windows, labels = _examples(split, self.config, np.random.default_rng(seed))
        self._classifier = MLPClassifier((HIDDEN,), alpha=1e-3, max_iter=60, early_stopping=True, random_state=seed)
        self._classifier.fit(windows, labels)

    def scores(self, images: Float[Tensor, "count 1 height width"]) -> Float[Tensor, "count rows columns"]:
        """Probability that a digit has its top left pixel at each row and column."""
        if images.ndim != 4 or images.shape[1] != 1 or min(images.shape[2:]) < DIGIT_SIZE:
            raise UsageError(
                f"the detector was given images of shape {tuple(images.shape)}, expected [count, 1, height, width] of "
                f"at least {DIGIT_SIZE} x {DIGIT_SIZE}"
            )
        patches = F.unfold(_padded(images), WINDOW).transpose(1, 2)
        probabilities = np.asarray(self._classifier.predict_proba(patches.flatten(0, 1).numpy()))[:, 1]
        rows, columns = (side - DIGIT_SIZE + 1 for side in images.shape[2:])
        return torch.from_numpy(probabilities.astype(np.float32)).reshape(len(images), rows, columns)

    def found_at(
        self, scores: Float[Tensor, "count rows columns"], positions: Int[Tensor, "count requested 2"]
    ) -> Bool[Tensor, "count requested"]:
        """Whether a digit is detected within `TOLERANCE` of each position (x, y)."""
        reach = 2 * TOLERANCE + 1
        nearby = F.max_pool2d(scores[:, None], reach, stride=1, padding=TOLERANCE)[:, 0]
        canvas = torch.arange(len(scores))[:, None]
        return nearby[canvas, positions[:, :, 1], positions[:, :, 0]] > 0.5

    def counts(self, scores: Float[Tensor, "count rows columns"]) -> Int[Tensor, " count"]:
        """Number of digits on each canvas: detections after non-maximum suppression."""
        found = torch.zeros(len(scores), dtype=torch.long)
        left = scores.clone()
        _, rows, columns = scores.shape
        row, column = torch.arange(rows)[None, :, None], torch.arange(columns)[None, None, :]
        while bool((left > 0.5).any()):
            best, flat_index = left.flatten(1).max(dim=1)
            present = best > 0.5
            found += present
            y, x = (flat_index // columns)[:, None, None], (flat_index % columns)[:, None, None]
            near = ((row - y).abs() < SAME_DIGIT) & ((column - x).abs() < SAME_DIGIT)
            left = torch.where(near & present[:, None, None], 0.0, left)
        return found

    def accuracy_on(self, canvases: Canvases) -> dict[str, float]:
        """Accuracy of the detector on real canvases.

        Returns:
            `all found`: fraction of canvases with every digit detected; `false finds`: fraction of positions without a
            digit nearer than `SAME_DIGIT` pixels at which one is detected; `right count`: fraction of canvases with the
            right number of digits.
        """
        scores = self.scores(canvases.images)
        is_digit = canvases.positions[:, :, 0] >= 0
        found = self.found_at(scores, canvases.positions.clamp(min=0)) | ~is_digit
        rows, columns = torch.meshgrid(*(torch.arange(side) for side in scores.shape[1:]), indexing="ij")
        grid_positions = torch.stack([columns, rows], dim=-1).reshape(1, -1, 1, 2)
        distance = (grid_positions - canvases.positions[:, None]).abs().amax(dim=-1)
        empty = ((distance >= SAME_DIGIT) | ~is_digit[:, None]).all(dim=2)
        false = self.found_at(scores, grid_positions[:, :, 0].expand(len(scores), -1, 2))[empty]
        return {
            "all found": float(found.all(dim=1).double().mean()),
            "false finds": float(false.double().mean()),
            "right count": float((self.counts(scores) == canvases.counts).double().mean()),
        }


@lru_cache(maxsize=1)
def default_detector() -> Detector:
    """Trained on canvases of the split "evaluator"."""
    return Detector()


@lru_cache(maxsize=8)
def measured_accuracy(num_digits: int) -> dict[str, float]:
    """`Detector.accuracy_on` real canvases with this number of digits, which the detector has not seen."""
    rng = np.random.default_rng(num_digits)
    canvases = draw_canvases(NUM_MEASURED, CanvasConfig(), "model", rng, num_digits=num_digits)
    return default_detector().accuracy_on(canvases)


def _padded(images: Tensor) -> Tensor:
    """Pixels in [0, 1], with background around the canvas."""
    ink = ((images.detach().cpu().float() + 1) / 2).clamp(0.0, 1.0)
    return F.pad(ink, [MARGIN] * 4)


def _examples(split: str, config: CanvasConfig, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Windows [count, WINDOW^2], and whether each has a digit at its centre."""
    canvases = draw_canvases(NUM_CANVASES, config, split, rng)
    images, positions = canvases.images[:, 0].numpy(), canvases.positions.numpy()
    faint = (rng.random(positions.shape[:2]) < FAINT) & (positions[:, :, 0] >= 0)
    for canvas, digit_index in zip(*np.nonzero(faint), strict=True):
        x, y = positions[canvas, digit_index]
        shown = images[canvas, y : y + DIGIT_SIZE, x : x + DIGIT_SIZE]
        shown[:] = -1 + rng.uniform(*FAINTNESS) * (shown + 1)
    padded = np.pad((images + 1) / 2, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)])
    windows: list[np.ndarray] = []
    labels: list[bool] = []
    for canvas, count in enumerate(canvases.counts.tolist()):
        shown_positions = positions[canvas, :count]
        beside = shown_positions + rng.integers(-DIGIT_SIZE, DIGIT_SIZE + 1, shown_positions.shape)
        anywhere = rng.integers(0, config.last_position + 1, (3, 2))
        requested = np.concatenate([shown_positions, np.clip(beside, 0, config.last_position), anywhere])
        distance = np.abs(requested[:, None] - shown_positions[None]).max(axis=2).min(axis=1)
        for index, ((x, y), off) in enumerate(zip(requested, distance, strict=True)):
            if index < count or off >= MIN_OFFSET:
                windows.append(padded[canvas, y : y + WINDOW, x : x + WINDOW].reshape(-1))
                labels.append(index < count and not faint[canvas, index])
    return np.stack(windows), np.array(labels)
