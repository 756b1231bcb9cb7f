"""Codes of a neural audio codec as sequences: residual vector quantisation, q codebooks for each frame.

The codes of a frame follow each other; each codebook has symbols of its own (section 5, audio).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Integer
from onepaper.errors import UsageError

from perceiver_ar.config import RESERVED, DataConfig
from perceiver_ar.data.codec import Prompt, Tokens, document, file_prompt
from perceiver_ar.data.corpus import PARTS, Corpus, InMemory, dealt
from perceiver_ar.data.figures import array_bytes

SHAPE_NAME = "codebooks.txt"


HELD_OUT_SHARE = 0.1


class CodesCodec:
    """Code c of codebook k is the symbol k * size + c.

    Args:
        codebooks: q.
        size: codes of each.
    """

    coordinates = None
    stop = None
    num_symbols = None

    def __init__(self, codebooks: int, size: int) -> None:
        self.codebooks, self.size = codebooks, size
        self.vocab_size = codebooks * size + RESERVED

    @property
    def allowed(self) -> Bool[np.ndarray, "codebooks vocab"]:
        """Each codebook in turn."""
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
        """The same of an .npy file, which errors name."""
        codes = read_codes(path)
        try:
            return self.encode(codes)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None

    def decode(self, tokens: Tokens) -> Int[np.ndarray, "frames codebooks"]:
        """Codes of the whole frames."""
        symbols = tokens[tokens >= RESERVED] - RESERVED
        whole = len(symbols) // self.codebooks * self.codebooks
        return symbols[:whole].reshape(-1, self.codebooks) % self.size

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Frames, fractions of one included."""
        return {"frames": float((tokens >= RESERVED).sum()) / self.codebooks}

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the codes of a file."""
        del seed
        return file_prompt(self, prompt, "codes")

    def figure(self, samples: Sequence[Tokens]) -> None:
        """None: codes are decoded by the codec of the sounds."""
        del samples

    def files(self, samples: Sequence[Tokens]) -> dict[str, bytes]:
        """sample-0.npy and so on, [frames, codebooks]."""
        return {f"sample-{number}.npy": array_bytes(self.decode(tokens)) for number, tokens in enumerate(samples)}

    def summary(self, tokens: Tokens) -> str:
        """Frames and codebooks."""
        return f"{len(self.decode(tokens))} frames of {self.codebooks} codes"

    def saved_files(self) -> dict[str, bytes]:
        """The number of codebooks."""
        return {SHAPE_NAME: str(self.codebooks).encode("ascii")}


def own_codes(config: DataConfig) -> Corpus:
    """.npy files of integers [frames, codebooks].

    A folder with `train`, `validation` and `test` keeps these parts. Three files or more of another folder are dealt
    out in an order drawn once; one or two are cut 80/10/10 in time.

    Raises:
        UsageError: nothing there, no such arrays, codes outside the codebooks, or files of different codebooks.
    """
    assert config.path is not None
    path = config.path
    if path.is_dir() and all((path / part).is_dir() for part in PARTS):
        parts = [code_files(path / part) for part in PARTS]
    else:
        files = code_files(path) if path.is_dir() else [path]
        parts = dealt(files) if len(files) >= 3 else [files]
    codec = CodesCodec(read_codes(parts[0][0]).shape[1], config.codebook_size)
    documents = [[codec.encode_file(file) for file in part] for part in parts]
    if len(documents) == 1:
        documents = zip(*(cut_in_time(codec, tokens) for tokens in documents[0]), strict=True)
    return Corpus(codec, *(InMemory(part) for part in documents))


def cut_in_time(codec: CodesCodec, tokens: Tokens) -> list[Tokens]:
    """The frames of one document in three."""
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


def read_codes(path: Path) -> Integer[np.ndarray, "frames codebooks"]:
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
    return array
