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
    """Bits for each value of an image: of H W C of them, SOS and EOS not counted (section 3, evaluation)."""
    check_positive("number of values", height * width * channels)
    return nats / math.log(2) / (height * width * channels)


def word_perplexity(nats: float, words: int) -> float:
    r"""$\exp(\mathrm{nats} / \mathrm{words})$: pieces of words are renormalised to the words of the corpus."""
    check_positive("number of words", words)
    return math.exp(nats / words)


# Of e, in double precision.
LARGEST_EXPONENT = math.log(sys.float_info.max)


# What a unit's bits are called.
BITS_PER = {
    "bytes": "bits_per_byte", "values": "bits_per_dim", "seconds": "bits_per_second", "frames": "bits_per_frame",
}  # fmt: skip


def per_unit(nats: float, worth: Mapping[str, float]) -> dict[str, float]:
    """Bits for each byte, value, second or frame, and the perplexity of words, by name.

    Text that has hardly any spaces has no words to speak of: a perplexity beyond double precision is left out.

    Args:
        nats: of all targets.
        worth: what these targets amount to, as codecs measure it.
    """
    found: dict[str, float] = {}
    for unit, amount in worth.items():
        if unit != "words":
            found |= {BITS_PER[unit]: nats / math.log(2) / amount} if amount else {}
        elif amount and nats / amount < LARGEST_EXPONENT:
            found["word_perplexity"] = word_perplexity(nats, round(amount))
    return found
