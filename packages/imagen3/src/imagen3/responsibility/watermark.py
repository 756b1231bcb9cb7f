"""An invisible watermark with a secret key: spread spectrum in cosine transforms of blocks.

The report marks pictures with SynthID, which is closed (paper, section 4.3). This one needs no training. A picture of
any size is a frame of 16 by 16 blocks; the key draws a sign for some coefficients of each block (after Cox et al.,
1997), in three groups: signs that find how a picture was cropped, rotated or mirrored (`registration`), signs that
decide, and signs that carry a payload. The groups are independent, so that the p-value of the second one is exactly
binomial, whatever the first one searched.
"""

import hashlib
from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from onepaper.config import check_between
from onepaper.errors import UsageError
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.stats import binom

# The frame in pixels of its own, its blocks, and the coefficients of a block that are marked.
FRAME, BLOCKS = 256, 16
BLOCK = FRAME // BLOCKS
COEFFICIENTS = ((0, 2), (2, 0), (1, 1), (1, 2), (2, 1), (2, 2))
CHIPS = BLOCKS * BLOCKS * len(COEFFICIENTS)
REGISTERED, DECIDED = 384, 896
SMALLEST_SIDE = 64

# Marked coefficients reach at least this size, in 8-bit values; those below the other one, of areas without any
# structure, have no sign.
MARGIN, FLAT = 18.0, 0.1
PSNR = 40.0
ROUNDS, HALVINGS = 3, 11

VERSION, VERSION_BITS, PAYLOAD_BITS, CHECK_BITS = 1, 4, 32, 16
BITS = VERSION_BITS + PAYLOAD_BITS + CHECK_BITS
LUMA = np.array([0.299, 0.587, 0.114])

Picture = UInt8[np.ndarray, "height width 3"]
Frame = Float[np.ndarray, "256 256"]


@lru_cache(maxsize=32)
def chips(key: bytes) -> tuple[Int[np.ndarray, " chips"], Int[np.ndarray, " chips"]]:
    """Numbers of coefficients in a keyed order, and their signs, from the SHA-256 of a key.

    The first 384 are for registration, those up to 896 decide, and the others carry the bits of the payload in turn.

    Raises:
        UsageError: an empty key.
    """
    if not key:
        raise UsageError("the key of the watermark is empty, expected at least one byte")
    generator = np.random.default_rng(list(hashlib.sha256(b"watermark\0" + key).digest()))
    return generator.permutation(CHIPS), generator.choice(np.array([-1, 1]), CHIPS)


def marked_coefficients(frame: Frame) -> Float[np.ndarray, " chips"]:
    """The coefficients of all blocks, block by block."""
    blocks = frame.reshape(BLOCKS, BLOCK, BLOCKS, BLOCK)
    found = np.asarray(dctn(blocks, axes=(1, 3), norm="ortho"))
    return np.stack([found[:, row, :, column] for row, column in COEFFICIENTS], axis=-1).ravel()


def frame_of(coefficients: Float[np.ndarray, " chips"]) -> Frame:
    """The frame with these coefficients and no others."""
    blocks = np.zeros((BLOCKS, BLOCK, BLOCKS, BLOCK))
    values = coefficients.reshape(BLOCKS, BLOCKS, -1)
    for index, (row, column) in enumerate(COEFFICIENTS):
        blocks[:, row, :, column] = values[..., index]
    return np.asarray(idctn(blocks, axes=(1, 3), norm="ortho")).reshape(FRAME, FRAME)


def resampled(values: Float[np.ndarray, "rows columns"], height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Values resampled to another size."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64)


def payload_bits(payload: int) -> Bool[np.ndarray, " bits"]:
    """Version, payload and check sum (CRC-16) as bits.

    Raises:
        UsageError: the payload needs more than 32 bits.
    """
    check_between("payload of the watermark", payload, 0, 2**PAYLOAD_BITS - 1)
    content = (VERSION << PAYLOAD_BITS) | payload
    check = crc_hqx(content.to_bytes(8, "big"), 0xFFFF)
    return _bits((content << CHECK_BITS) | check, BITS)


def _bits(number: int, count: int) -> Bool[np.ndarray, " bits"]:
    return np.array([number >> place & 1 for place in reversed(range(count))], bool)


def read_payload(bits: Bool[np.ndarray, " bits"]) -> int | None:
    """The payload of bits whose version and check sum are right; None otherwise."""
    number = int("".join("01"[int(bit)] for bit in bits), 2)
    payload = number >> CHECK_BITS & (2**PAYLOAD_BITS - 1)
    return payload if (payload_bits(payload) == bits).all() else None


def embed(picture: Picture, key: bytes, payload: int = 0, *, psnr: float = PSNR) -> Picture:
    """A picture with the watermark.

    Coefficients of the luma get the sign of the key and at least the size of the margin, the cheapest changes first, as
    many as the peak signal-to-noise ratio allows, which is at least `psnr`. All channels change by the same amount.

    Args:
        picture: at least 64 pixels a side.
        key: secret; the same one detects.
        payload: a number of 32 bits.
        psnr: in decibels; a lower one marks more strongly.

    Raises:
        UsageError: a small picture, an empty key, or a payload or ratio out of range.
    """
    check_between("psnr", psnr, 20.0, 60.0)
    check_size(picture)
    signs = signs_of(key, payload)
    values = marked_coefficients(resampled(picture @ LUMA, FRAME, FRAME))
    cost = np.square(np.maximum(MARGIN - signs * values, 0.0))
    # A payload is read only if nearly all of its bits are, so that what decides them may cost more.
    order = np.argsort(np.where(_needed(cost, key), cost / 4, cost), kind="stable")
    low, high, best = 0, CHIPS, picture
    for _ in range(HALVINGS):
        middle = (low + high + 1) // 2
        tried = _with_signs(picture, signs, order[:middle])
        if peak_ratio(picture, tried) >= psnr:
            low, best = middle, tried
        else:
            high = middle - 1
        if low >= high:
            break
    return best


def signs_of(key: bytes, payload: int) -> Int[np.ndarray, " chips"]:
    """The sign of each coefficient, block by block."""
    order, drawn = chips(key)
    modulation = np.ones(CHIPS, np.int64)
    bits = np.where(payload_bits(payload), 1, -1)
    modulation[DECIDED:] = bits[np.arange(CHIPS - DECIDED) % BITS]
    signs = np.empty(CHIPS, np.int64)
    signs[order] = drawn * modulation
    return signs


def _needed(cost: Float[np.ndarray, " chips"], key: bytes) -> Bool[np.ndarray, " chips"]:
    """The cheapest coefficients of each bit of the payload, as many as decide it."""
    carriers = chips(key)[0][DECIDED:]
    needed = np.zeros(CHIPS, bool)
    for bit in range(BITS):
        own = carriers[bit::BITS]
        needed[own[np.argsort(cost[own], kind="stable")[: 2 * len(own) // 3]]] = True
    return needed


def _with_signs(picture: Picture, signs: Int[np.ndarray, " chips"], chosen: Int[np.ndarray, " some"]) -> Picture:
    """The picture with the signs of the chosen coefficients; repeated, since values end at 0 and 255."""
    height, width = picture.shape[:2]
    original, total, marked = picture.astype(np.float64), np.zeros((height, width)), picture
    for _ in range(ROUNDS):
        values = marked_coefficients(resampled(marked @ LUMA, FRAME, FRAME))
        change = np.zeros(CHIPS)
        change[chosen] = (signs * np.maximum(MARGIN - signs * values, 0.0))[chosen]
        total += resampled(frame_of(change), height, width)
        marked = (original + total[..., None]).round().clip(0, 255).astype(np.uint8)
    return marked


class Detection(NamedTuple):
    """What a picture says about a key."""

    matches: int
    """signs that agree, of those that decide"""
    tested: int
    p_value: float
    """probability of as many matches without this watermark: exactly binomial over keys"""
    payload: int | None
    """None where its check sum is wrong"""


def detection(
    values: Float[np.ndarray, " chips"], key: bytes, seen: Bool[np.ndarray, " chips"] | None = None
) -> Detection:
    r"""What coefficients, block by block, say about a key.

    $$p = \sum_{i \ge k} \binom{n}{i} 2^{-n}$$ for $k$ matching signs of the $n$ that decide, are seen and are not 0.

    Args:
        values: of a frame.
        key: secret.
        seen: which of them are part of the picture; None for all.
    """
    order, drawn = chips(key)
    agree = np.sign(values)[order] * drawn
    visible = (np.abs(values) > FLAT)[order] & (True if seen is None else seen[order])
    decides = np.flatnonzero(visible[REGISTERED:DECIDED]) + REGISTERED
    matches = int((agree[decides] > 0).sum())
    votes = np.bincount(np.arange(CHIPS - DECIDED) % BITS, (agree * visible)[DECIDED:])
    p_value = float(binom.sf(matches - 1, len(decides), 0.5))
    return Detection(matches, len(decides), p_value, read_payload(votes > 0))


def least_matches(tested: int, rate: float) -> int:
    """The smallest number of matches whose p-value is at most the requested false positive rate.

    Raises:
        UsageError: a rate outside (0, 1), or one that so few signs cannot reach.
    """
    if not 0 < rate < 1:
        raise UsageError(f"false positive rate is {rate}, expected a number between 0 and 1")
    if 0.5**tested > rate:
        raise UsageError(f"false positive rate is {rate:g}, but {tested} signs reach {0.5**tested:.2g} at best")
    tails = binom.sf(np.arange(tested + 1) - 1, tested, 0.5)
    return int(np.argmax(tails <= rate))


def check_size(picture: Picture) -> None:
    """Raise `UsageError` for a picture that is too small."""
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UsageError(
            f"a picture has {height} x {width} pixels, expected at least {SMALLEST_SIDE} a side to be marked"
        )


def peak_ratio(first: Picture, second: Picture) -> float:
    r"""Peak signal-to-noise ratio $10 \log_{10}(255^2 / \mathrm{MSE})$ in decibels; infinite for equal pictures."""
    error = np.square(first.astype(np.float64) - second).mean()
    return float(10 * np.log10(255**2 / error)) if error else np.inf


@dataclass(frozen=True)
class Mark:
    """What a system stamps on its pictures."""

    key: bytes
    payload: int = 0
    psnr: float = PSNR
    learned: bool = False
    """the mark of `learned_mark`, which carries no payload"""
