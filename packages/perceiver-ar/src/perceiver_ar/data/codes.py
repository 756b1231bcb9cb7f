"""Codes of a neural audio codec as sequences: residual vector quantisation, q codebooks for each frame.

The codes of a frame are consecutive, and each codebook has its own symbols (official code, sample_utils.py).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Integer
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.foreign.arrays import read_npy

from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.corpus import PARTS, Corpus, InMemory, Tokens, document, split_files

SHAPE_NAME = "codebooks.txt"


HELD_OUT_SHARE = 0.1

# Codecs have up to 32; arrays saved as [codebooks, frames] have more columns within a second of sound.
MOST_CODEBOOKS = 64


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
        """Codebooks in turn."""
        ids = np.arange(self.vocab_size)
        return (ids >= RESERVED) & ((ids - RESERVED) // self.size == np.arange(self.codebooks)[:, None])

    def encode(self, codes: Integer[np.ndarray, "frames codebooks"]) -> Tokens:
        """SOS, codes frame by frame, EOS.

        Raises:
            UsageError: another number of codebooks, or a code outside them.
        """
        if codes.ndim != 2 or codes.shape[1] != self.codebooks:
            raise UsageError(f"codes have shape {codes.shape}, expected (frames, {self.codebooks})")
        if codes.size and not (codes.min() >= 0 and codes.max() < self.size):
            raise UsageError(f"codes go from {codes.min()} to {codes.max()}, expected 0 to {self.size - 1}")
        return document((codes.astype(np.int32) + self.size * np.arange(self.codebooks, dtype=np.int32)).ravel())

    def encode_file(self, path: Path) -> Tokens:
        """`encode` of an .npy file, with its path in errors."""
        codes = read_codes(path)
        try:
            return self.encode(codes)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None

    def decode(self, tokens: Tokens) -> Int[np.ndarray, "frames codebooks"]:
        """Codes of all complete frames."""
        symbols = tokens[tokens >= RESERVED] - RESERVED
        whole = len(symbols) // self.codebooks * self.codebooks
        return symbols[:whole].reshape(-1, self.codebooks) % self.size

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Number of frames, which may be fractional."""
        return {"frames": float((tokens >= RESERVED).sum()) / self.codebooks}

    def saved_files(self) -> dict[str, bytes]:
        """The number of codebooks."""
        return {SHAPE_NAME: str(self.codebooks).encode("ascii")}


@unmeasured
def user_codes(config: DataConfig) -> Corpus:
    """.npy files of integers [frames, codebooks].

    A folder with `train`, `validation` and `test` keeps these parts. Another folder of at least three files is split at
    random (fixed seed); one or two files are each split 80/10/10 in time.

    Raises:
        UsageError: no files, other arrays, codes outside the codebooks, or files of different codebooks.
    """
    assert config.path is not None
    path = config.path
    if path.is_dir() and all((path / part).is_dir() for part in PARTS):
        parts = [code_files(path / part) for part in PARTS]
    else:
        files = code_files(path) if path.is_dir() else [path]
        parts = split_files(files) if len(files) >= 3 else [files]
    codebooks = read_codes(parts[0][0]).shape[1]
    if codebooks > MOST_CODEBOOKS:
        raise UsageError(
            f"{parts[0][0]} has {codebooks} columns, expected at most {MOST_CODEBOOKS} codebooks; codes saved as "
            "[codebooks, frames] must be transposed: numpy.save(path, codes.T)"
        )
    codec = CodesCodec(codebooks, config.codebook_size)
    documents = [[codec.encode_file(file) for file in part] for part in parts]
    if len(documents) == 1:
        documents = zip(*(cut_in_time(codec, tokens) for tokens in documents[0]), strict=True)
    return Corpus(codec, *(InMemory(part) for part in documents))


def cut_in_time(codec: CodesCodec, tokens: Tokens) -> list[Tokens]:
    """The frames of one document, split 80/10/10."""
    frames = codec.decode(tokens)
    cuts = [int(len(frames) * (1 - 2 * HELD_OUT_SHARE)), int(len(frames) * (1 - HELD_OUT_SHARE))]
    return [codec.encode(part) for part in np.split(frames, cuts)]


def code_files(folder: Path) -> list[Path]:
    """Arrays below a folder, by name.

    Raises:
        UsageError: there are none.
    """
    files = sorted(folder.rglob("*.npy"))
    if not files:
        raise UsageError(f"{folder} holds no .npy files; give arrays of integers [frames, codebooks]")
    return files


@unmeasured
def read_codes(path: Path) -> Integer[np.ndarray, "frames codebooks"]:
    """One array of codes.

    Raises:
        UsageError: not an array of integers with two axes.
    """
    array = read_npy(path)
    if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
        raise UsageError(f"{path} has shape {array.shape}, expected integers of shape (frames, codebooks)")
    return array
