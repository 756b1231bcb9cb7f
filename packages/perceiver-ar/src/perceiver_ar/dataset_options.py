"""What a model learns from, as data: names of datasets and how they become tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError

# Dataset -> what its sequences are.
KINDS = {
    "copy": "copy",
    "novels": "text", "text": "text", "pg19": "text", "wikitext103": "text",
    "digits": "images", "photos": "images", "images": "images", "imagenet64": "images",
    "freedoom": "events", "midi": "events", "maestro": "events",
    "codes": "codes",
}  # fmt: skip
# Those that are a path of the user's, and those that may be found below $ONEPAPER_DATA as well.
OWN = ("text", "images", "midi", "codes")
PUBLISHED = ("pg19", "wikitext103", "imagenet64", "maestro")


@dataclass(frozen=True)
class DataConfig:
    """What the model learns from."""

    dataset: Literal[
        "copy", "novels", "text", "pg19", "wikitext103", "digits", "photos", "images", "imagenet64", "freedoom",
        "midi", "maestro", "codes",
    ] = "copy"  # fmt: skip
    """copy: a random sequence and its mirror image. Text: novels (six by Jane Austen, embedded), text (a file or folder
    of yours), pg19, wikitext103. Images: digits (8 x 8, of scikit-learn), photos (crops of scikit-learn's two), images
    (a folder of yours), imagenet64. Events of music: freedoom (embedded), midi (a folder of yours), maestro. codes: of
    a neural audio codec, .npy files of yours"""
    path: Path | None = None
    """where text, images, midi and codes are; of pg19, wikitext103, imagenet64 and maestro the local copy, else
    $ONEPAPER_DATA/NAME"""
    tokens: Literal["bytes", "pieces", "words"] = "bytes"
    """of text: UTF-8 bytes, SentencePiece's pieces learnt on the training part, or words between spaces"""
    pieces: int = 2048
    """size of SentencePiece's vocabulary"""
    order: Literal["raster", "planes"] = "raster"
    """of images: pixel by pixel, or all red values, then all green, then all blue"""
    side: int = 16
    """height and width of images and photos in pixels"""
    codebook_size: int = 1024
    """of codes"""
    transpose: int = 0
    """of events: every training window moves up or down by at most so many semitones, evenly drawn"""
    least_inputs: int = 0
    """inputs of the shortest training window; 0: as many as latents, so that a document's first tokens are scored
    too. The context length gives full windows only, which takes the faster way through attention"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, KINDS)
        check_choice("tokens", self.tokens, ("bytes", "pieces", "words"))
        check_choice("order", self.order, ("raster", "planes"))
        for name in ("pieces", "side", "codebook_size"):
            check_positive(name, getattr(self, name))
        check_non_negative("least_inputs", self.least_inputs)
        check_non_negative("transpose", self.transpose)
        if self.transpose and self.kind != "events":
            raise UsageError(f"transpose is {self.transpose} for {self.kind}; only music can be transposed, leave it 0")
        if self.path is None and self.dataset in OWN:
            raise UsageError(f"dataset '{self.dataset}' is yours: give its path with --data.path")
        if self.path is not None and self.dataset not in (*OWN, *PUBLISHED):
            raise UsageError(f"dataset '{self.dataset}' has no path; leave --data.path out or choose another dataset")

    @property
    def kind(self) -> str:
        """copy, text, images, events or codes."""
        return KINDS[self.dataset]
