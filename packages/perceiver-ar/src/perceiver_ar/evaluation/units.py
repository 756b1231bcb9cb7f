"""Nats in the units that papers report: bits per byte, per value or per second, and perplexity of words."""

import math
import sys
from collections.abc import Mapping

from onepaper.config import check_positive


def bits_per_byte(nats: float, num_bytes: int) -> float:
    r"""$\mathrm{nats} / (\ln 2 \cdot \mathrm{bytes})$; nats of all tokens, bytes of the text that they encode."""
    check_positive("number of bytes", num_bytes)
    return nats / math.log(2) / num_bytes


def bits_per_dim(nats: float, height: int, width: int, channels: int = 3) -> float:
    """Bits for each of the H W C values of an image; SOS and EOS are not counted in the divisor (paper, table 3)."""
    check_positive("number of values", height * width * channels)
    return nats / math.log(2) / (height * width * channels)


def word_perplexity(nats: float, words: int) -> float:
    r"""$\exp(\mathrm{nats} / \mathrm{words})$: the perplexity of subword models, normalized by words."""
    check_positive("number of words", words)
    return math.exp(nats / words)


# Largest exponent of e in double precision.
LARGEST_EXPONENT = math.log(sys.float_info.max)


# Names of the results by unit.
BITS_PER = {
    "bytes": "bits_per_byte", "values": "bits_per_dim", "seconds": "bits_per_second", "frames": "bits_per_frame",
}  # fmt: skip


def per_unit(nats: float, amounts: Mapping[str, float]) -> dict[str, float]:
    """Bits per byte, value, second or frame, and word perplexity, by name.

    A word perplexity that overflows double precision, as for text without spaces, is left out.

    Args:
        nats: of all targets.
        amounts: size of the targets by unit, as codecs measure it.
    """
    found: dict[str, float] = {}
    for unit, amount in amounts.items():
        if unit != "words":
            found |= {BITS_PER[unit]: nats / math.log(2) / amount} if amount else {}
        elif amount and nats / amount < LARGEST_EXPONENT:
            found["word_perplexity"] = word_perplexity(nats, round(amount))
    return found
