"""Codes of a neural audio codec as sequences: residual vector quantisation, q codebooks for each frame.

The codes of a frame follow each other; each codebook has symbols of its own (section 5, audio).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from onepaper.errors import UsageError

from perceiver_ar.config import RESERVED
from perceiver_ar.corpus import Corpus, InMemory, Tokens, document
from perceiver_ar.dataset_options import DataConfig

SHAPE_NAME = "codebooks.txt"
HELD_OUT_SHARE = 0.1


class CodesCodec:
    """Code c of codebook k is the symbol k * size + c.

    Args:
        codebooks: q.
        size: codes of each.
    """

    coordinates = None

    def __init__(self, codebooks: int, size: int) -> None:
        self.codebooks, self.size = codebooks, size
        self.vocab_size = codebooks * size + RESERVED

    @property
    def allowed(self) -> Bool[np.ndarray, "codebooks vocab"]:
        """Each codebook in turn."""
        ids = np.arange(self.vocab_size)
        return (ids >= RESERVED) & ((ids - RESERVED) // self.size == np.arange(self.codebooks)[:, None])

    def encode(self, codes: Int[np.ndarray, "frames codebooks"]) -> Tokens:
        """SOS, codes frame by frame, EOS.

        Raises:
            UsageError: another number of codebooks, or a code outside them.
        """
        if codes.ndim != 2 or codes.shape[1] != self.codebooks:
            raise UsageError(f"codes have shape {codes.shape}, expected (frames, {self.codebooks})")
        if codes.size and not (codes.min() >= 0 and codes.max() < self.size):
            raise UsageError(f"codes go from {codes.min()} to {codes.max()}, expected 0 to {self.size - 1}")
        return document((codes + self.size * np.arange(self.codebooks)).ravel())

    def decode(self, tokens: Tokens) -> Int[np.ndarray, "frames codebooks"]:
        """Codes of the whole frames."""
        symbols = tokens[tokens >= RESERVED] - RESERVED
        whole = len(symbols) // self.codebooks * self.codebooks
        return symbols[:whole].reshape(-1, self.codebooks) % self.size

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Frames, fractions of one included."""
        return {"frames": float((tokens >= RESERVED).sum()) / self.codebooks}

    def files(self) -> dict[str, bytes]:
        """The number of codebooks."""
        return {SHAPE_NAME: str(self.codebooks).encode("ascii")}


def own_codes(config: DataConfig) -> Corpus:
    """.npy files of integers [frames, codebooks]: a folder's files in three parts, or one file cut 80/10/10 in time.

    Raises:
        UsageError: nothing there, or no such arrays.
    """
    assert config.path is not None
    path = config.path
    files = sorted(path.rglob("*.npy")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} holds no .npy files; give arrays of integers [frames, codebooks]")
    arrays = [read_codes(file) for file in files]
    codec = CodesCodec(arrays[0].shape[1], config.codebook_size)
    if len(arrays) >= 3:
        held_out = max(1, int(len(arrays) * HELD_OUT_SHARE))
        cuts = [len(arrays) - 2 * held_out, len(arrays) - held_out]
        parts: list[Sequence[np.ndarray]] = [arrays[: cuts[0]], arrays[cuts[0] : cuts[1]], arrays[cuts[1] :]]
    else:
        pieces = [
            np.split(array, [int(len(array) * (1 - 2 * HELD_OUT_SHARE)), int(len(array) * (1 - HELD_OUT_SHARE))])
            for array in arrays
        ]
        parts = list(zip(*pieces, strict=True))
    return Corpus(codec, *(InMemory(codec.encode(array) for array in part) for part in parts))


def read_codes(path: Path) -> Int[np.ndarray, "frames codebooks"]:
    """One array of codes.

    Raises:
        UsageError: not an array of integers with two axes.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} is not a readable .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
        shape = getattr(array, "shape", None)
        raise UsageError(f"{path} has shape {shape}, expected integers of shape (frames, codebooks)")
    return array.astype(np.int64)
