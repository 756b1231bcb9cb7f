"""Configurations of the codec, the network, chunks, data, training and sampling, as frozen dataclasses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Order = Literal["bands", "channels", "blocks"]

# Luma blocks for one chroma block, vertically and horizontally.
CHROMA_STEPS: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}

LARGEST_BLOCK = 64
LARGEST_IMAGE = 65_535


@dataclass(frozen=True)
class CodecConfig:
    """How pixels become quantised block-DCT coefficients, and these a list of triples (paper, section 2)."""

    block: int = 8
    """B, pixels of a block in each direction"""
    quality: int = 50
    """Q of the Independent JPEG Group's rule for quantisation tables, 1 to 100"""
    subsampling: Subsampling = "4:2:0"
    """resolution of the chroma planes"""
    table_resize: Literal["nearest", "bilinear"] = "nearest"
    """how the 8 x 8 quantisation tables are resized for other blocks; the choice of the paper is not known to us"""
    order: Order = "bands"
    """order of the list. bands: coarse to fine, with edges at 1, 4, 16, ..., and Y, Cr, Cb within each (paper,
    figure 2); channels: Y, Cb, Cr of each zigzag index in turn; blocks: block by block"""

    def __post_init__(self) -> None:
        check_between("block", self.block, 2, LARGEST_BLOCK)
        check_between("quality", self.quality, 1, 100)
        check_choice("subsampling", self.subsampling, CHROMA_STEPS)
        check_choice("table_resize", self.table_resize, ("nearest", "bilinear"))
        check_choice("order", self.order, ("bands", "channels", "blocks"))


@dataclass(frozen=True)
class ChunkConfig:
    """Which part of a list is the target of a training step (paper, section 3.1 and figure 3)."""

    target: int = 896
    """triples of a chunk, whose likelihood is trained"""
    overlap: int = 128
    """triples before the chunk that the decoders also read"""
    start: Literal["cubic", "uniform", "harmonic"] = "cubic"
    """probability of chunk k of a list: cubic: max(floor, (1 - k / horizon)^3); uniform; harmonic: 1 / (k + 1)"""
    floor: float = 0.1
    """of cubic"""
    horizon: int = 10
    """K of cubic"""
    overlap_loss: bool = False
    """whether the triples of the overlap, which the encoder reads as well, count in the loss"""

    def __post_init__(self) -> None:
        check_positive("chunk.target", self.target)
        check_between("chunk.overlap", self.overlap, 0, self.target)
        check_choice("chunk.start", self.start, ("cubic", "uniform", "harmonic"))
        check_between("chunk.floor", self.floor, 0.0, 1.0)
        check_positive("chunk.horizon", self.horizon)

    @property
    def length(self) -> int:
        """Length of a decoder's sequence."""
        return self.target + self.overlap


@dataclass(frozen=True)
class ModelConfig:
    """Encoder of the partial DCT image and three stacked decoders (paper, section 3.2)."""

    height: int = 16
    """pixels of the images"""
    width: int = 16
    """pixels of the images"""
    codec: CodecConfig = CodecConfig(block=4)
    chunk: ChunkConfig = ChunkConfig(64, 16)
    dim: int = 96
    """d, width of all Transformers"""
    heads: int = 4
    encoder: tuple[int, ...] = (1, 1)
    """feed-forward layers after each attention layer of the encoder"""
    channel_decoder: tuple[int, ...] = (1, 1)
    """the same of the channel decoder; its attention is causal, and followed by attention to the encoder"""
    position_decoder: tuple[int, ...] = (1, 1)
    value_decoder: tuple[int, ...] = (1, 2)
    stride: int = 1
    """cells of the DCT image, in each direction, that one token of the encoder stands for"""
    dropout: float = 0.1
    rezero: bool = True
    """gate each residual branch by a learned scalar that starts at 0"""
    visited: bool = True
    """show the encoder which coefficients the list has passed; without, zero and not yet listed look alike"""
    encoder_input: bool = True
    """whether the encoder sees the triples before the chunk; False is an ablation"""
    classes: int = 0
    """number of classes to condition on; 0: none"""
    condition: Literal["none", "luma", "low-resolution"] = "none"
    """what is given: nothing; all luma coefficients, so that the list has chroma only (colourisation); or the DCT
    image of a low-resolution version, by a second input of the encoder (super-resolution)"""
    scale: int = 4
    """of low-resolution: factor between the two resolutions"""
    value_limit: int = 0
    """values are clipped to this size; 0: the largest that the codec can produce"""

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            check_between(name, getattr(self, name), 1, LARGEST_IMAGE)
        for name in ("dim", "heads", "stride"):
            check_positive(name, getattr(self, name))
        if self.dim % self.heads:
            raise UsageError(f"dim is {self.dim} for {self.heads} heads, expected a multiple")
        for name in ("encoder", "channel_decoder", "position_decoder", "value_decoder"):
            if not getattr(self, name):
                raise UsageError(f"{name} has no layers, expected the number of feed-forward layers of each block")
            for layers in getattr(self, name):
                check_positive(f"feed-forward layers of {name}", layers)
        check_between("dropout", self.dropout, 0.0, 0.9)
        check_non_negative("classes", self.classes)
        check_choice("condition", self.condition, ("none", "luma", "low-resolution"))
        check_between("scale", self.scale, 2, min(self.height, self.width))
        check_non_negative("value_limit", self.value_limit)


@dataclass(frozen=True)
class DataConfig:
    """Images to train on."""

    dataset: Literal["stamps", "images"] = "stamps"
    """stamps: small pictures of animals, food, plants and others, included; images: your folder or shards"""
    path: Path | None = None
    """of images: a folder of image files, where subfolders may be classes, or a .tar shard or a folder of them"""
    stored: bool = False
    """of images: take the coefficients that are in JPEG files and decode no pixels; the random part of a file begins
    at block boundaries and is not resampled"""
    zoom: float = 1.3
    """each image is a random square of at least 1 / zoom of its short side; 1: always the centre"""
    flip: bool = True
    """mirror half of the images"""
    guidance_dropout: float = 0.1
    """part of the examples whose class is hidden, for classifier-free guidance"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("stamps", "images"))
        if (self.dataset == "images") != (self.path is not None):
            raise UsageError("dataset 'images' needs --data.path, and 'stamps' takes none")
        if self.stored and self.dataset != "images":
            raise UsageError("--data.stored takes coefficients from JPEG files; give --data.dataset images --data.path")
        check_between("data.zoom", self.zoom, 1.0, 10.0)
        check_between("data.guidance_dropout", self.guidance_dropout, 0.0, 1.0)


@dataclass(frozen=True)
class ExperimentConfig:
    """Data, network and training."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    batch_size: int = 32
    """chunks, each of another image"""
    optimizer: OptimizerOptions = OptimizerOptions(
        name="adam", lr=1e-3, clip_norm=1.0, warmup_steps=100, schedule="cosine", final_fraction=0.05
    )
    loop: LoopOptions = LoopOptions(steps=2000, log_every=50, evaluate_every=500, checkpoint_every=500)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)


@dataclass(frozen=True)
class BaselineConfig:
    """A causal Transformer over another sequence of the same pictures, to compare lists of triples with."""

    tokens: Literal["pixels", "jpeg-bytes", "codes"] = "jpeg-bytes"
    """pixels: red, green and blue of each pixel of the coded pictures, row by row; jpeg-bytes: entropy-coded bytes of
    their JPEG files; codes: quantised features of an autoencoder, which is trained first and loses other detail"""
    data: DataConfig = DataConfig()
    height: int = 16
    """pixels"""
    width: int = 16
    codec: CodecConfig = CodecConfig()
    """of the coded pictures"""
    dim: int = 64
    """width of the Transformer, and of the autoencoder"""
    heads: int = 4
    layers: int = 4
    dropout: float = 0.1
    levels: tuple[int, ...] = (8, 5, 5)
    """of codes: levels of each feature; their product is the size of the vocabulary"""
    batch_size: int = 32
    optimizer: OptimizerOptions = OptimizerOptions(
        name="adam", lr=1e-3, clip_norm=1.0, warmup_steps=100, schedule="cosine", final_fraction=0.05
    )
    loop: LoopOptions = LoopOptions(steps=2000, log_every=50, checkpoint_every=500)
    """of each training: for codes that of the autoencoder, and that of the Transformer"""

    def __post_init__(self) -> None:
        check_choice("tokens", self.tokens, ("pixels", "jpeg-bytes", "codes"))
        for name in ("height", "width"):
            check_between(name, getattr(self, name), 1, LARGEST_IMAGE)
        for name in ("dim", "heads", "layers", "batch_size"):
            check_positive(name, getattr(self, name))
        if self.dim % (2 * self.heads):
            raise UsageError(f"dim is {self.dim} for {self.heads} heads, expected a multiple of {2 * self.heads}")
        check_between("dropout", self.dropout, 0.0, 0.9)
        if not self.levels or any(not 2 <= levels <= 64 for levels in self.levels):
            raise UsageError(f"levels are {self.levels}, expected 2 to 64 for each feature")
        if self.tokens == "jpeg-bytes" and self.codec.block != 8:
            raise UsageError(f"block is {self.codec.block}, expected 8, which JPEG files have")
        if self.tokens == "codes" and (self.height % 4 or self.width % 4):
            raise UsageError(f"codes need sides that are multiples of 4, not {self.width} x {self.height}")
        if self.data.stored:
            raise UsageError("baselines are trained on pixels; leave out --data.stored")


@dataclass(frozen=True)
class SamplingOptions:
    """How lists are drawn."""

    temperature: float = 1.0
    """divides all logits"""
    top_k: int = 0
    """of values: keep so many of the most probable; 0: all"""
    top_p: float = 1.0
    """keep the smallest set of channels, positions and values with at least this probability"""
    guidance: float = 1.0
    """scale of classifier-free guidance of a class-conditional network; 1: none"""
    max_triples: int = 0
    """stop a list at this length, which gives an image with less detail; 0: only at the stop symbol"""

    def __post_init__(self) -> None:
        check_positive("temperature", self.temperature)
        check_non_negative("top_k", self.top_k)
        check_positive("top_p", self.top_p)
        check_between("top_p", self.top_p, 0.0, 1.0)
        check_between("guidance", self.guidance, 0.0, 100.0)
        check_non_negative("max_triples", self.max_triples)
