"""Counts and positions of emoji in a picture of a scene, by templates (normalised cross-correlation).

The scorer knows the sprites of `data.scenes`, their size and that the ground is one colour, so that it needs no trained
network. It may score samples of a system only where its own accuracy on pictures with a known content is high enough.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from onepaper.config import shortened
from onepaper.errors import OnePaperError, UsageError
from scipy.ndimage import gaussian_filter

from imagen3.data.scenes import KINDS, Kind, draw_scene, random_scenes, sprite, sprite_size

# A place is an object where the correlation with its template is at least this high ...
THRESHOLD = 0.7
# ... and no better one is nearer than this share of the side of a sprite.
SEPARATION = 0.6
LEAST_ACCURACY = 0.98

# What the scorer has to bear: standard deviations of noise (8-bit values) and of a blur (pixels).
NOISE, BLUR = 8.0, 0.5


class Found(NamedTuple):
    """An object that the scorer found; row and column of the upper left pixel of its square."""

    kind: Kind
    row: int
    column: int
    score: float


def ground_colour(picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, " 3"]:
    """The most frequent colour, among cells of 16 values, as the median of its pixels, in [0, 1]."""
    pixels = picture.reshape(-1, 3)
    cells = (pixels // 16).astype(np.int64) @ np.array([256, 16, 1])
    return np.median(pixels[cells == np.bincount(cells).argmax()], axis=0) / 255


def correlations(
    picture: UInt8[np.ndarray, "height width 3"], kinds: Sequence[Kind], side: int
) -> Float[np.ndarray, "kinds rows columns"]:
    r"""Normalised cross-correlation of the picture with the template of each kind at every position.

    $$c = \frac{\sum (x - \bar x)(y - \bar y)}{\sqrt{\sum (x - \bar x)^2 \sum (y - \bar y)^2}}$$ over the square of a
    template $y$ on the ground colour of the picture and all channels; the means are those of each channel. Sums of
    products are computed by the fast Fourier transform. Squares without structure have correlation 0.
    """
    x = picture / 255
    colour = ground_colour(picture)
    height, width = x.shape[:2]
    bank = _bank(tuple(kinds), side, height, width)
    # A template is linear in the colour of the ground, and so is its spectrum.
    norms = np.square(bank.drawn + bank.open[..., None] * colour).sum((1, 2, 3))
    # No wrapping: positions of whole templates inside the picture are exact in a circular correlation of its size.
    spectrum = np.fft.rfft2(x - colour, axes=(0, 1))
    products = (spectrum * bank.drawn_spectrum).sum(-1) + bank.open_spectrum * (spectrum @ colour)
    found = np.fft.irfft2(products, s=(height, width))[:, : height - side + 1, : width - side + 1]
    energy = _energy(x, side)
    # A square whose contrast is that of rounding has no structure.
    flat = energy < side**2 * 1e-4
    return np.where(flat, 0.0, found / np.sqrt(np.where(flat, 1.0, energy) * norms[:, None, None]))


def _energy(x: Float[np.ndarray, "height width 3"], side: int) -> Float[np.ndarray, "rows columns"]:
    """Squares of deviations from the mean of each channel, summed over each square of `side` pixels."""

    def sums(values: np.ndarray) -> np.ndarray:
        whole = np.pad(values, ((1, 0), (1, 0), (0, 0))).cumsum(0).cumsum(1)
        return whole[side:, side:] - whole[:-side, side:] - whole[side:, :-side] + whole[:-side, :-side]

    return (sums(np.square(x)) - np.square(sums(x)) / side**2).sum(-1)


class _Bank(NamedTuple):
    """Templates without their means: what is drawn, and where the ground is seen; and their conjugate spectra."""

    drawn: np.ndarray
    open: np.ndarray
    drawn_spectrum: np.ndarray
    open_spectrum: np.ndarray


@lru_cache(maxsize=8)
def _bank(kinds: tuple[Kind, ...], side: int, height: int, width: int) -> _Bank:
    layers = np.stack([sprite(kind, side) for kind in kinds]).astype(np.float64)
    centred = layers - layers.mean(axis=(1, 2), keepdims=True)
    drawn, open_ = centred[..., :3], -centred[..., 3]
    return _Bank(
        drawn,
        open_,
        np.fft.rfft2(drawn, s=(height, width), axes=(1, 2)).conj(),
        np.fft.rfft2(open_, s=(height, width), axes=(1, 2)).conj(),
    )


def find_objects(picture: UInt8[np.ndarray, "height width 3"], kinds: Sequence[Kind] = KINDS) -> list[Found]:
    """The objects of a picture, best first: peaks of the correlation that are not near a better one of any kind.

    Args:
        picture: of a scene, square.
        kinds: what may be there.

    Raises:
        UsageError: the picture is not square or too small.
    """
    height, width = picture.shape[:2]
    if height != width or sprite_size(height) < 4:
        raise UsageError(f"a picture has {height} x {width} pixels, expected a square of at least 20 pixels a side")
    side = sprite_size(height)
    scores = correlations(picture, kinds, side)
    best, which = scores.max(0), scores.argmax(0)
    found = []
    reach = max(int(SEPARATION * side), 1)
    while (score := best.max()) >= THRESHOLD:
        row, column = (int(index) for index in np.unravel_index(best.argmax(), best.shape))
        found.append(Found(kinds[which[row, column]], row, column, float(score)))
        best[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = -1
    return found


def count_objects(picture: UInt8[np.ndarray, "height width 3"], kinds: Sequence[Kind] = KINDS) -> dict[Kind, int]:
    """How many objects of each kind a picture shows; kinds that it does not show are left out."""
    return dict(Counter(found.kind for found in find_objects(picture, kinds)))


def kinds_of(noun: str) -> list[Kind]:
    """The kinds that a noun names: "dog" one, "book" the books of all colours.

    Raises:
        UsageError: it names none.
    """
    found = [kind for kind in KINDS if kind.singular == noun or kind.singular.endswith(f" {noun}")]
    if not found:
        names = ", ".join(kind.singular for kind in KINDS)
        raise UsageError(f"the scene scorer does not know {shortened(noun)}, expected one of: {names}")
    return found


def on_side(found: Sequence[Found], noun: str, relation: str, other: str) -> int:
    """Number of objects of one noun that are in that relation to all objects of the other, by their corners."""
    axis = "column" if relation.startswith("to the") else "row"
    own, places = ([getattr(thing, axis) for thing in found if thing.kind in kinds_of(name)] for name in (noun, other))
    if not places:
        return 0
    if relation in ("to the left of", "above"):
        return sum(place < min(places) for place in own)
    return sum(place > max(places) for place in own)


def degraded(
    picture: UInt8[np.ndarray, "height width 3"], generator: np.random.Generator, noise: float, blur: float
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture with blur (standard deviation in pixels) and noise (in 8-bit values)."""
    soft = gaussian_filter(picture.astype(np.float64), (blur, blur, 0)) if blur else picture.astype(np.float64)
    return (soft + noise * generator.standard_normal(picture.shape)).round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class ScorerCheck:
    """How the scorer does on scenes with a known content."""

    accuracy: float
    """share of questions "how many of this kind" that it answers right, over the kinds of each scene"""
    scenes: float
    """share of scenes with all kinds and numbers right and nothing else found"""
    confusion: np.ndarray
    """scenes by number of objects (row) and number found (column), from 0 to 16"""
    mistaken: dict[tuple[str, str], int]
    """how often a kind was found that is not there, beside the kinds of its scene"""


def check_scorer(
    count: int, seed: int, *, size: int = 64, noise: float = NOISE, blur: float = BLUR, least: float = LEAST_ACCURACY
) -> ScorerCheck:
    """The accuracy of the scorer on new scenes that are blurred and noisy.

    Raises:
        OnePaperError: it is below `least`: the scorer must not evaluate samples then.
    """
    generator = np.random.default_rng([seed, 1])
    confusion, mistaken = np.zeros((17, 17), np.int64), Counter[tuple[str, str]]()
    right, whole = [], []
    for scene in random_scenes(count, generator, size):
        counts = count_objects(degraded(draw_scene(scene), generator, noise, blur))
        right += [counts.get(kind, 0) == wanted for kind, wanted in scene.counts.items()]
        whole.append(counts == scene.counts)
        confusion[len(scene.objects), min(sum(counts.values()), 16)] += 1
        shown = " + ".join(kind.singular for kind in scene.counts)
        mistaken.update((shown, kind.singular) for kind in counts if kind not in scene.counts)
    check = ScorerCheck(float(np.mean(right)), float(np.mean(whole)), confusion, dict(mistaken))
    if check.accuracy < least:
        raise OnePaperError(
            f"the scene scorer answers {check.accuracy:.1%} of {len(right):,} questions on known scenes right, "
            f"expected {least:.0%}; use larger pictures"
        )
    return check
