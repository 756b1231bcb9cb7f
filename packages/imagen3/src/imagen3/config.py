"""Every configuration as a frozen dataclass; this module imports nothing of its package."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

CATEGORIES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
)
"""Categories of the emoji that ship with the package."""


@dataclass(frozen=True)
class DataConfig:
    """Pictures with captions."""

    dataset: Literal["emoji", "folder", "scenes"] = "emoji"
    """emoji: the pictures that ship with the package; folder: pictures of a folder, each with a caption in NAME.txt;
    scenes: one to ten emoji on a plain colour, with captions that say how many"""
    path: Path | None = None
    """the folder"""
    categories: tuple[str, ...] = CATEGORIES
    """of the emoji from which the denoiser learns; the autoencoder sees all"""
    size: int = 64
    """height and width in pixels"""
    scenes: int = 5000
    """number of scenes"""
    synthetic_share: float = 0.5
    """probability of a synthetic caption in place of the original one"""
    remove_duplicates: bool = False
    """keep one of each group of pictures that are the same but for compression and small changes; size has to be a
    multiple of 8"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("emoji", "folder", "scenes"))
        for category in self.categories:
            check_choice("category", category, CATEGORIES)
        check_positive("size", self.size)
        check_between("scenes", self.scenes, 100, 1_000_000)
        if self.dataset == "scenes":
            check_between("size", self.size, 32, 1024)
        check_between("synthetic_share", self.synthetic_share, 0.0, 1.0)
        if self.remove_duplicates and self.size % 8:
            raise UsageError(f"size is {self.size}, expected a multiple of 8 where duplicates are removed")
        if (self.dataset == "folder") != (self.path is not None):
            raise UsageError("data.path is the folder of data.dataset 'folder'; give both or neither")


@dataclass(frozen=True)
class TextConfig:
    """The frozen text encoder."""

    encoder: Literal["words", "transformers"] = "words"
    """words: vectors of word pieces that ship with the package; transformers: a model of the library transformers"""
    path: Path | None = None
    """folder of the model of `transformers`: T5, CLIP, BERT and others"""
    max_tokens: int = 24
    """longer captions are cut, and how many is said"""
    dim: int = 128
    """features of a token"""

    def __post_init__(self) -> None:
        check_choice("encoder", self.encoder, ("words", "transformers"))
        check_positive("max_tokens", self.max_tokens)
        check_positive("dim", self.dim)
        if (self.encoder == "transformers") != (self.path is not None):
            raise UsageError("text.path is the folder of text.encoder 'transformers'; give both or neither")


@dataclass(frozen=True)
class AutoencoderConfig:
    """The variational autoencoder: pictures to latents and back."""

    channels: int = 4
    """of a latent"""
    width: int = 48
    """channels of the layers at half the resolution of the picture; twice as many at lower ones"""
    factor: int = 4
    """pixels of a side for each latent, a power of two of at least 4"""
    blocks: int = 1
    """residual blocks for each resolution"""

    def __post_init__(self) -> None:
        check_positive("channels", self.channels)
        check_positive("width", self.width)
        check_positive("blocks", self.blocks)
        if self.factor < 4 or self.factor & (self.factor - 1):
            raise UsageError(f"factor is {self.factor}, expected 4, 8, 16 or another power of two")
        if self.width % 8:
            raise UsageError(f"width is {self.width}, expected a multiple of 8, which the normalisation groups by")


@dataclass(frozen=True)
class DenoiserConfig:
    """The denoiser, a multimodal diffusion Transformer (MM-DiT; Esser et al., 2024)."""

    channels: int = 4
    """of a latent"""
    patch: int = 2
    """latents of a side for each token"""
    width: int = 128
    depth: int = 6
    heads: int = 4
    text_dim: int = 128
    """features of a text token"""
    pooled_dim: int = 128
    """features of a whole text"""
    qk_norm: bool = True
    """normalise queries and keys by their root mean square"""
    positions: Literal["rope", "table"] = "rope"
    """rope: rotary embeddings along both axes of the picture; table: fixed sines and cosines added to the patches"""
    table_size: int = 0
    """side of the table of positions, of which the centre is taken"""
    mask_padding: bool = True
    """no token attends to text tokens behind the end of the text"""

    def __post_init__(self) -> None:
        for name in ("channels", "patch", "width", "depth", "heads", "text_dim", "pooled_dim"):
            check_positive(name, getattr(self, name))
        check_choice("positions", self.positions, ("rope", "table"))
        if self.width % (4 * self.heads):
            raise UsageError(f"width is {self.width}, expected a multiple of 4 * heads = {4 * self.heads}")
        if (self.positions == "table") != (self.table_size > 0):
            raise UsageError("table_size is the side of positions 'table'; give both or neither")


@dataclass(frozen=True)
class ObjectiveConfig:
    """What the denoiser predicts, noise levels, and guidance dropout of the training."""

    prediction: Literal["rf", "v", "edm"] = "rf"
    """rf: the velocity of rectified flow; v: that of a diffusion that preserves the variance; edm: a picture, with the
    factors of Karras et al. (2022)"""
    sigma_data: float = 0.5
    """of edm: standard deviation of the latents that its factors assume"""
    density: Literal["logit-normal", "uniform", "mode", "cosmap"] = "logit-normal"
    """of the noise level t"""
    location: float = 0.0
    """of logit-normal"""
    scale: float = 1.0
    """of logit-normal, and of mode"""
    shift: float = 1.0
    """alpha of the resolution shift: above 1 for more noise"""
    text_dropout: float = 0.1
    """probability that a caption is replaced by the empty one"""

    def __post_init__(self) -> None:
        check_choice("prediction", self.prediction, ("rf", "v", "edm"))
        check_positive("sigma_data", self.sigma_data)
        check_choice("density", self.density, ("logit-normal", "uniform", "mode", "cosmap"))
        check_positive("scale", self.scale)
        check_positive("shift", self.shift)
        check_between("text_dropout", self.text_dropout, 0.0, 1.0)


@dataclass(frozen=True)
class SamplingOptions:
    """How pictures are drawn."""

    sampler: Literal["euler", "heun", "dpmpp-2m", "ancestral"] = "euler"
    """euler and heun solve the ordinary differential equation; dpmpp-2m is DPM-Solver++ of order 2; ancestral adds
    noise"""
    steps: int = 25
    guidance: float = 3.0
    """weight w of classifier-free guidance; 1 is the conditional model alone"""
    interval: tuple[float, float] = (0.0, 1.0)
    """noise levels at which guidance is used"""
    rescale: float = 0.0
    """share in which the guided prediction is scaled back to the standard deviation of the conditional one"""
    parallel: float = 1.0
    """share of the guidance along the predicted picture that is kept; 0 leaves only what is orthogonal to it, against
    saturated colours"""
    shift: float = 1.0
    """alpha of the resolution shift of the steps"""

    def __post_init__(self) -> None:
        check_choice("sampler", self.sampler, ("euler", "heun", "dpmpp-2m", "ancestral"))
        check_positive("steps", self.steps)
        check_non_negative("guidance", self.guidance)
        check_between("rescale", self.rescale, 0.0, 1.0)
        check_between("parallel", self.parallel, 0.0, 1.0)
        check_positive("shift", self.shift)
        low, high = self.interval
        if not 0.0 <= low <= high <= 1.0:
            raise UsageError(f"interval is {self.interval}, expected two noise levels in order, from 0 to 1")


@dataclass(frozen=True)
class TrainingConfig:
    """One training of a recipe."""

    batch_size: int
    optimizer: OptimizerOptions
    loop: LoopOptions

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)


@dataclass(frozen=True)
class SystemConfig:
    """A text-to-image system: data, networks, and its trainings in order."""

    autoencoder_training: TrainingConfig
    denoiser_training: TrainingConfig
    data: DataConfig = DataConfig()
    text: TextConfig = TextConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    denoiser: DenoiserConfig = DenoiserConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    kl_weight: float = 1e-6
    """of the Kullback-Leibler divergence of a latent, for each pixel, beside the error of the picture"""
    edge_weight: float = 1.0
    """of the error of differences between neighbouring pixels, at three scales"""
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    """the defaults of `sample`, kept with the weights"""

    def __post_init__(self) -> None:
        check_non_negative("kl_weight", self.kl_weight)
        check_non_negative("edge_weight", self.edge_weight)
        if self.denoiser.channels != self.autoencoder.channels:
            raise UsageError(
                f"denoiser.channels is {self.denoiser.channels}, expected {self.autoencoder.channels}, the channels of "
                "the autoencoder"
            )
        if self.denoiser.text_dim != self.text.dim:
            raise UsageError(f"denoiser.text_dim is {self.denoiser.text_dim}, expected text.dim, {self.text.dim}")
        if self.denoiser.pooled_dim != self.text.dim:
            raise UsageError(f"denoiser.pooled_dim is {self.denoiser.pooled_dim}, expected text.dim, {self.text.dim}")
        unit = self.autoencoder.factor * self.denoiser.patch
        if self.data.size % unit:
            raise UsageError(f"data.size is {self.data.size}, expected a multiple of factor * patch = {unit}")

    @property
    def grid(self) -> int:
        """Latents of a side of a picture."""
        return self.data.size // self.autoencoder.factor
