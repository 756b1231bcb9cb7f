"""The independent judge of canvases: is there a digit where one was asked for, and how many are there in all?

It learns from images that no generative model here has seen, to tell a window that shows a digit in its middle from one
that shows paper, parts of digits, digits shifted away, or faint ones. It judges places: a rough digit counts, and
`digits.evaluator` is there to name digits. It is a small perceptron on pixels, so it shares neither data nor
architecture with the networks, and it is trained in seconds whenever it is needed.
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

# A window shows the digit and this many pixels around it, so that a shifted digit is seen to be cut off.
MARGIN = 1
WINDOW = DIGIT_SIZE + 2 * MARGIN
# A digit counts as being at a position if it is found at most this many pixels from it, in x and in y.
TOLERANCE = 1
# Two findings nearer than this, in x and in y, are one digit.
SAME_DIGIT = 5
# What it learns from: windows of so many canvases, where a window this far from every digit shows none, and where this
# share of the digits is made faint, to between these shares of their ink, and does not count.
NUM_CANVASES = 700
OFF_ITS_PLACE = 3
FAINT = 0.2
FAINTNESS = (0.15, 0.45)
HIDDEN = 64
NUM_MEASURED = 200


class Detector:
    """Finds whole digits on canvases.

    Args:
        split: of the digits it learns from.
        config: the canvases it learns from.
        seed: of its canvases, windows and weights.
    """

    def __init__(self, split: str = "evaluator", config: CanvasConfig | None = None, seed: int = 0) -> None:
        from sklearn.neural_network import MLPClassifier

        check_choice("split", split, SPLITS)
        self.config = config or CanvasConfig()
        windows, labels = _examples(split, self.config, np.random.default_rng(seed))
        self._classifier = MLPClassifier((HIDDEN,), alpha=1e-3, max_iter=60, early_stopping=True, random_state=seed)
        self._classifier.fit(windows, labels)

    def scores(self, images: Float[Tensor, "count 1 height width"]) -> Float[Tensor, "count rows columns"]:
        """Probability that a whole digit has its top left pixel at each row and column."""
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
        self, scores: Float[Tensor, "count rows columns"], positions: Int[Tensor, "count asked 2"]
    ) -> Bool[Tensor, "count asked"]:
        """Whether a digit is found within `TOLERANCE` of each position (x, y)."""
        reach = 2 * TOLERANCE + 1
        nearby = F.max_pool2d(scores[:, None], reach, stride=1, padding=TOLERANCE)[:, 0]
        canvas = torch.arange(len(scores))[:, None]
        return nearby[canvas, positions[:, :, 1], positions[:, :, 0]] > 0.5

    def counts(self, scores: Float[Tensor, "count rows columns"]) -> Int[Tensor, " count"]:
        """Digits on each canvas: findings, the surest first, those next to a surer one left out."""
        found = torch.zeros(len(scores), dtype=torch.long)
        left = scores.clone()
        _, rows, columns = scores.shape
        row, column = torch.arange(rows)[None, :, None], torch.arange(columns)[None, None, :]
        while bool((left > 0.5).any()):
            best, place = left.flatten(1).max(dim=1)
            present = best > 0.5
            found += present
            y, x = (place // columns)[:, None, None], (place % columns)[:, None, None]
            near = ((row - y).abs() < SAME_DIGIT) & ((column - x).abs() < SAME_DIGIT)
            left = torch.where(near & present[:, None, None], 0.0, left)
        return found

    def accuracy_on(self, canvases: Canvases) -> dict[str, float]:
        """How far the judge can be trusted, on real canvases.

        Returns:
            `all found`: share of canvases whose every digit is found at its place; `false finds`: share of places
            without a digit nearer than `SAME_DIGIT` pixels at which one is found; `right count`: share of canvases
            whose digits are counted right.
        """
        scores = self.scores(canvases.images)
        there = canvases.positions[:, :, 0] >= 0
        found = self.found_at(scores, canvases.positions.clamp(min=0)) | ~there
        rows, columns = torch.meshgrid(*(torch.arange(side) for side in scores.shape[1:]), indexing="ij")
        places = torch.stack([columns, rows], dim=-1).reshape(1, -1, 1, 2)
        distance = (places - canvases.positions[:, None]).abs().amax(dim=-1)
        empty = ((distance >= SAME_DIGIT) | ~there[:, None]).all(dim=2)
        false = self.found_at(scores, places[:, :, 0].expand(len(scores), -1, 2))[empty]
        return {
            "all found": float(found.all(dim=1).double().mean()),
            "false finds": float(false.double().mean()),
            "right count": float((self.counts(scores) == canvases.counts).double().mean()),
        }


@lru_cache(maxsize=1)
def default_detector() -> Detector:
    """Trained on canvases of the evaluator's split."""
    return Detector()


@lru_cache(maxsize=8)
def measured_accuracy(num_digits: int) -> dict[str, float]:
    """`Detector.accuracy_on` real canvases of so many digits, none of which the detector has seen."""
    rng = np.random.default_rng(num_digits)
    canvases = draw_canvases(NUM_MEASURED, CanvasConfig(), "model", rng, num_digits=num_digits)
    return default_detector().accuracy_on(canvases)


def _padded(images: Tensor) -> Tensor:
    """Pixels in [0, 1], with paper around the canvas."""
    ink = ((images.detach().cpu().float() + 1) / 2).clamp(0.0, 1.0)
    return F.pad(ink, [MARGIN] * 4)


def _examples(split: str, config: CanvasConfig, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Windows [count, WINDOW^2] and whether each shows one whole digit in its middle."""
    canvases = draw_canvases(NUM_CANVASES, config, split, rng)
    images, positions = canvases.images[:, 0].numpy(), canvases.positions.numpy()
    faint = (rng.random(positions.shape[:2]) < FAINT) & (positions[:, :, 0] >= 0)
    for canvas, place in zip(*np.nonzero(faint), strict=True):
        x, y = positions[canvas, place]
        shown = images[canvas, y : y + DIGIT_SIZE, x : x + DIGIT_SIZE]
        shown[:] = -1 + rng.uniform(*FAINTNESS) * (shown + 1)
    padded = np.pad((images + 1) / 2, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)])
    windows: list[np.ndarray] = []
    labels: list[bool] = []
    for canvas, count in enumerate(canvases.counts.tolist()):
        there = positions[canvas, :count]
        beside = there + rng.integers(-DIGIT_SIZE, DIGIT_SIZE + 1, there.shape)
        anywhere = rng.integers(0, config.last_position + 1, (3, 2))
        asked = np.concatenate([there, np.clip(beside, 0, config.last_position), anywhere])
        distance = np.abs(asked[:, None] - there[None]).max(axis=2).min(axis=1)
        for index, ((x, y), off) in enumerate(zip(asked, distance, strict=True)):
            if index < count or off >= OFF_ITS_PLACE:
                windows.append(padded[canvas, y : y + WINDOW, x : x + WINDOW].reshape(-1))
                labels.append(index < count and not faint[canvas, index])
    return np.stack(windows), np.array(labels)
