"""Canvases of real digits: one to five digits at random positions without overlap.

Every batch is generated from (seed, step), so no canvas is repeated and a resumed training continues with the same
batches. Positions are (x, y): the column and the row of a digit's top left pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int
from onepaper.config import check_between
from onepaper.data import random_batches
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.config.positions import DIGIT_SIZE, NO_POSITION, CanvasConfig, PositionsConfig
from compose_diffusion.data.digits import load_digits

# Candidate arrangements drawn together for each canvas; the first one without overlap is used.
CANDIDATES = 32


@dataclass(frozen=True, eq=False)
class Canvases:
    """Images and the positions of their digits.

    Attributes:
        images: [count, 1, size, size] in [-1, 1], background -1 and ink 1.
        positions: [count, max_digits, 2], (x, y) of every digit, `NO_POSITION` beyond the last.
        counts: [count], digits on each canvas.
    """

    images: Float[Tensor, "count 1 height width"]
    positions: Int[Tensor, "count max_digits 2"]
    counts: Int[Tensor, " count"]

    def __len__(self) -> int:
        return len(self.images)


def arrangements(
    count: int, num_digits: int, config: CanvasConfig, rng: np.random.Generator
) -> Int[np.ndarray, "count num_digits 2"]:
    """Positions of `num_digits` digits on each of `count` canvases, uniform over all arrangements without overlap.

    Raises:
        UsageError: more digits than the configuration allows.
    """
    if not 1 <= num_digits <= config.max_digits:
        raise UsageError(f"num_digits is {num_digits}, expected 1 to {config.max_digits}; raise canvas.max_digits")
    found = np.empty((count, num_digits, 2), dtype=np.int64)
    missing = np.arange(count)
    while len(missing):
        drawn = rng.integers(0, config.last_position + 1, (len(missing), CANDIDATES, num_digits, 2))
        fits = np.ones(drawn.shape[:2], dtype=bool)
        for one, other in combinations(range(num_digits), 2):
            fits &= (np.abs(drawn[:, :, one] - drawn[:, :, other]) >= DIGIT_SIZE).any(axis=-1)
        done = fits.any(axis=1)
        found[missing[done]] = drawn[done, fits[done].argmax(axis=1)]
        missing = missing[~done]
    return found


def draw_canvases(
    count: int, config: CanvasConfig, split: str, rng: np.random.Generator, *, num_digits: int | None = None
) -> Canvases:
    """Canvases of digits of one split.

    Args:
        count: how many.
        config: their size and largest number of digits.
        split: "model" or "evaluator", see `data.digits.load_digits`.
        rng: all randomness.
        num_digits: on every canvas; 1 to `max_digits`, every number equally likely, if absent.
    """
    digits = load_digits(split).images[:, 0].numpy()
    if num_digits is None:
        counts = rng.integers(1, config.max_digits + 1, count)
    else:
        counts = np.full(count, num_digits, dtype=np.int64)
    images = np.full((count, 1, config.size, config.size), -1.0, dtype=np.float32)
    positions = np.full((count, config.max_digits, 2), NO_POSITION, dtype=np.int64)
    for number in np.unique(counts):
        members = np.flatnonzero(counts == number)
        positions[members, :number] = arrangements(len(members), int(number), config, rng)
    chosen = rng.integers(0, len(digits), positions.shape[:2])
    for canvas, digit_index in zip(*np.nonzero(positions[:, :, 0] != NO_POSITION), strict=True):
        x, y = positions[canvas, digit_index]
        images[canvas, 0, y : y + DIGIT_SIZE, x : x + DIGIT_SIZE] = digits[chosen[canvas, digit_index]]
    return Canvases(torch.from_numpy(images), torch.from_numpy(positions), torch.from_numpy(counts))


def one_position(canvases: Canvases, unconditional: float, rng: np.random.Generator) -> Int[Tensor, "count 2"]:
    """The position of one random digit of each canvas; `NO_POSITION` for a fraction `unconditional` of them."""
    check_between("unconditional", unconditional, 0.0, 1.0)
    counts = canvases.counts.numpy()
    digit_index = torch.from_numpy(rng.integers(0, counts))
    chosen = canvases.positions[torch.arange(len(canvases)), digit_index]
    withheld = torch.from_numpy(rng.random(len(canvases)) < unconditional)
    return torch.where(withheld[:, None], NO_POSITION, chosen)


def training_batches(
    config: PositionsConfig, batch_size: int, *, seed: int = 0, rank: int = 0, world: int = 1
) -> Callable[[int], dict[str, Tensor]]:
    """Batch number `step`: `images` of new canvases, and `positions` [batch, 2] of one digit of each."""

    def make(rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        canvases = draw_canvases(count, config.canvas, "model", rng)
        return {"images": canvases.images, "positions": one_position(canvases, config.unconditional, rng)}

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)
