"""The speech that ships with the package: recorded prompts in five languages, and synthetic speech with phone times."""

import lzma
import zlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from onepaper.data import embedded

from slowae_rlt.config import LANGUAGES
from slowae_rlt.data.mu_law import decode_mu_law

PROMPT_RATE = 8000

# Samples that one decision of the voice-activity detector covers.
ACTIVITY_SAMPLES = 256


class Prompt(NamedTuple):
    """A recorded prompt."""

    name: str
    """language and name of the file"""
    samples: Float[np.ndarray, " samples"]
    speech: Bool[np.ndarray, " samples"]
    """whether a voice-activity detector (Silero) hears speech"""


class Clip(NamedTuple):
    """A synthetic sentence."""

    text: str
    stretch: float
    """factor of all durations: the larger, the slower"""
    samples: Float[np.ndarray, " samples"]
    phones: tuple[tuple[str, float], ...]
    """name and end, in seconds; pauses are `pau`"""


def _unpack(file: str) -> np.ndarray:
    codes = np.frombuffer(lzma.decompress(embedded("slowae_rlt", file).read_bytes()), np.int8)
    return decode_mu_law(codes).astype(np.float32)


def _rows(file: str) -> Iterator[list[str]]:
    for line in embedded("slowae_rlt", file).read_text(encoding="utf-8").splitlines():
        yield line.split("\t")


@cache
def prompts(language: str = "en") -> tuple[Prompt, ...]:
    """The prompts of a language, by name: 8 kHz, as they come out of mu-law codes."""
    samples, start, found = _unpack(f"prompts-{language}.xz"), 0, []
    for own, name, size, activity in _rows("prompts.tsv"):
        if own == language:
            part = samples[start : start + int(size)]
            speech = np.repeat(np.array(list(activity)) == "1", ACTIVITY_SAMPLES)[: len(part)]
            found.append(Prompt(f"{language}/{name}", part, speech))
            start += int(size)
    return tuple(found)


@cache
def clips() -> tuple[Clip, ...]:
    """Ten sentences at four rates, by sentence and from slow to fast: 8 kHz."""
    samples, start, found = _unpack("synthetic.xz"), 0, []
    for _, stretch, size, phones, text in _rows("synthetic.tsv"):
        ends = tuple((phone, int(end) / 1000) for phone, _, end in (word.partition(":") for word in phones.split()))
        found.append(Clip(text, float(stretch), samples[start : start + int(size)], ends))
        start += int(size)
    return tuple(found)


def part_of(name: str) -> str:
    """`train`, `validation` (a twentieth) or `test` (a tenth), by a checksum of the name."""
    number = zlib.crc32(name.encode()) % 20
    return "validation" if number == 0 else "test" if number <= 2 else "train"


def split_prompts(languages: tuple[str, ...] = LANGUAGES) -> dict[str, list[Prompt]]:
    """The prompts of these languages by part; a recording is in one part only."""
    parts: dict[str, list[Prompt]] = {"train": [], "validation": [], "test": []}
    for language in languages:
        for prompt in prompts(language):
            parts[part_of(prompt.name)].append(prompt)
    return parts
