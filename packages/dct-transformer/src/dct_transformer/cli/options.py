"""Options of the verbs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.paper import PlainOptions, VerbOptions

from dct_transformer.config import ChunkConfig, CodecConfig, DataConfig, SamplingOptions


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "stamps-16"
    """a network that ships with the package, or the folder of a training run"""
    count: int = 16
    """pictures to draw"""
    label: str = ""
    """class by its name (of stamps-16 such as animals/birds) or number, of a class-conditional network; empty: none"""
    task: Literal["generate", "colorize", "upscale", "inpaint"] = "generate"
    """generate: from nothing; colorize: chroma of an image; upscale: the finer bands of an image; inpaint: the
    right half of an image"""
    image: Path | None = None
    """what the other tasks start from: an image file; none: the photograph of a cat that is included"""
    bands: int = 2
    """of upscale: coarse bands that are kept"""
    sampling: SamplingOptions = SamplingOptions()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_choice("task", self.task, ("generate", "colorize", "upscale", "inpaint"))
        check_positive("bands", self.bands)


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    weights: str = "stamps-16"
    """a network that ships with the package, or the folder of a training run"""
    data: DataConfig = DataConfig()
    count: int = 0
    """held-out images whose likelihood is measured, and references of the distances; 0: all"""
    distances: bool = True
    """draw as many samples as there are references, and measure their distances from them: of a network without a
    condition, and with wavelet features of images with sides that are multiples of 8; --no-distances: likelihoods
    alone"""
    references: Literal["held-out", "training"] = "held-out"
    """of the distances; those of training images are in use for published FIDs"""
    inception: Path | None = None
    """file of the Inception network (pt_inception-2015-12-05-6726825d.pth or inception-2015-12-05.pt), for FID, sFID,
    precision and recall; none: distances of wavelet features, FD-Haar and sFD-Haar"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_non_negative("count", self.count)
        check_choice("references", self.references, ("held-out", "training"))


@dataclass(frozen=True)
class EncodeOptions(PlainOptions):
    """Options of `encode`."""

    image: Path | None = None
    """an image file; of JPEG files with --stored the coefficients in the file; without it: the photograph of a cat
    that is included"""
    stored: bool = False
    """take the coefficients and tables that are in a JPEG file, instead of encoding its pixels"""
    stages: int = 8
    """pictures of the progressive preview"""
    codec: CodecConfig = CodecConfig()

    def __post_init__(self) -> None:
        check_between("stages", self.stages, 2, 100)


@dataclass(frozen=True)
class DecodeOptions(PlainOptions):
    """Options of `decode`."""

    triples: Path = Path("triples.npz")
    """a file that `encode` wrote"""
    keep: float = 1.0
    """part of the list to decode; below 1 the image has less detail"""

    def __post_init__(self) -> None:
        check_between("keep", self.keep, 0.0, 1.0)


@dataclass(frozen=True)
class StatsOptions(PlainOptions):
    """Options of `stats`."""

    path: Path | None = None
    """a folder of images or a .tar shard; without it: the photographs that are included"""
    size: int = 256
    """pixels, to which images are cropped and resampled"""
    stored: bool = False
    """take the coefficients that are in JPEG files, at their own size and with their own tables"""
    codec: CodecConfig = CodecConfig()
    chunk: ChunkConfig = ChunkConfig()

    def __post_init__(self) -> None:
        check_positive("size", self.size)
        if self.stored and self.path is None:
            raise UsageError("--stored takes the coefficients of JPEG files; give their folder with --path")
