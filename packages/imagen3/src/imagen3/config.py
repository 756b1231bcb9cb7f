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

    encoder: Literal["words", "transformers", "pipeline"] = "words"
    """words: vectors of word pieces that ship with the package; transformers: a model of the library transformers;
    pipeline: all text encoders of a pipeline of the library diffusers"""
    path: Path | None = None
    """folder of the model of `transformers`: T5, CLIP, BERT and others; or of the pipeline"""
    max_tokens: int = 24
    """longer captions are cut, and how many is said"""
    dim: int = 128
    """features of a token"""
    pooled_dim: int = 0
    """features of a whole text; 0 for `dim`"""

    def __post_init__(self) -> None:
        check_choice("encoder", self.encoder, ("words", "transformers", "pipeline"))
        check_non_negative("pooled_dim", self.pooled_dim)
        check_positive("max_tokens", self.max_tokens)
        check_positive("dim", self.dim)
        if (self.encoder != "words") != (self.path is not None):
            raise UsageError(
                "text.path is the folder of text.encoder 'transformers' or 'pipeline'; give both or neither"
            )


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
    kind: Literal["folded", "kl"] = "folded"
    """folded: ours, whose first layer folds squares of two by two pixels; kl: that of Rombach et al. (2022), of which
    there are published weights"""
    widths: tuple[int, ...] = ()
    """of kl, in place of width: channels at each resolution, of which the next has half the side"""
    quantized: bool = False
    """kl has one more layer on each side of the latents"""

    def __post_init__(self) -> None:
        check_positive("channels", self.channels)
        check_positive("width", self.width)
        check_positive("blocks", self.blocks)
        check_choice("kind", self.kind, ("folded", "kl"))
        if self.kind == "kl":
            if not self.widths or any(width <= 0 or width % 32 for width in self.widths):
                raise UsageError(f"widths are {self.widths}, expected multiples of 32, one for each resolution")
            if self.factor != 2 ** (len(self.widths) - 1):
                raise UsageError(f"factor is {self.factor}, expected {2 ** (len(self.widths) - 1)} by the widths")
            return
        if self.widths or self.quantized:
            raise UsageError("widths and quantized belong to autoencoder.kind 'kl'; set it, or leave them out")
        if self.factor < 4 or self.factor & (self.factor - 1):
            raise UsageError(f"factor is {self.factor}, expected 4, 8, 16 or another power of two")
        if self.width % 8:
            raise UsageError(f"width is {self.width}, expected a multiple of 8, which the normalisation groups by")


@dataclass(frozen=True)
class AutoencoderTerms:
    """Further terms of the loss of an autoencoder."""

    adversarial_weight: float = 0.0
    """of a discriminator of patches, beside the gradient of the error of the pictures; 0 for none, 0.5 is usual"""
    start: int = 0
    """step from which the discriminator takes part"""
    discriminator_width: int = 64
    """channels of the first layer of the discriminator"""
    discriminator_layers: int = 3
    """of the discriminator, each at half the resolution"""
    perceptual: str = ""
    """`module:function` that makes a network of torch, whose features of decoded pictures are compared"""
    perceptual_weight: float = 1.0
    """of the distance of these features"""

    def __post_init__(self) -> None:
        for name in ("adversarial_weight", "start", "perceptual_weight"):
            check_non_negative(name, getattr(self, name))
        check_between("discriminator_layers", self.discriminator_layers, 1, 8)
        check_positive("discriminator_width", self.discriminator_width)
        if self.discriminator_width % 8:
            raise UsageError(f"discriminator_width is {self.discriminator_width}, expected a multiple of 8")


_DENOISER_FIELDS = {
    "dual_depth": ("mm-dit",),
    "single_depth": ("flux",),
    "guidance_input": ("flux",),
    "cross_heads": ("cross-dit", "linear-dit"),
    "size_input": ("cross-dit",),
}
_POSITIONS = {
    "mm-dit": ("rope", "table", "stored"),
    "flux": ("rope",),
    "cross-dit": ("rope", "table"),
    "linear-dit": ("rope", "none"),
    "uvit": ("rope",),
}


@dataclass(frozen=True)
class DenoiserConfig:
    """The denoiser: by default a multimodal diffusion Transformer (MM-DiT; Esser et al., 2024)."""

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
    positions: Literal["rope", "table", "stored", "none"] = "rope"
    """rope: rotary embeddings along both axes of the picture; table: fixed sines and cosines added to the patches;
    stored: such a table that is kept with the weights; none: of linear-dit, whose convolutions know positions"""
    table_size: int = 0
    """side of the table of positions, of which the centre is taken; of cross-dit the distance that all sizes span"""
    mask_padding: bool = True
    """no token attends to text tokens behind the end of the text"""
    kind: Literal["mm-dit", "flux", "cross-dit", "linear-dit", "uvit"] = "mm-dit"
    """mm-dit: two streams with joint attention; flux: these blocks, and then blocks of one stream; cross-dit: one
    stream that attends to the text; linear-dit: the same with linear attention and convolutions; uvit: convolutions
    around the blocks of mm-dit"""
    dual_depth: int = 0
    """of mm-dit: so many of the first blocks have a second attention of the picture alone"""
    single_depth: int = 0
    """of flux: blocks of one stream behind the `depth` blocks of two"""
    guidance_input: bool = False
    """of flux: the weight of guidance is an input of the network, which was distilled with it"""
    cross_heads: int = 0
    """of cross-dit and linear-dit: heads of the attention to the text; 0 for `heads`"""
    size_input: bool = False
    """of cross-dit: height, width and their ratio are inputs of the network"""
    output_channels: int = 0
    """of the prediction; 0 for `channels`"""

    def __post_init__(self) -> None:
        for name in ("channels", "patch", "width", "depth", "heads", "text_dim", "pooled_dim"):
            check_positive(name, getattr(self, name))
        check_choice("kind", self.kind, ("mm-dit", "flux", "cross-dit", "linear-dit", "uvit"))
        check_choice(f"positions of {self.kind}", self.positions, _POSITIONS[self.kind])
        for name in ("dual_depth", "single_depth", "cross_heads", "output_channels"):
            check_non_negative(name, getattr(self, name))
        for name, kinds in _DENOISER_FIELDS.items():
            if getattr(self, name) and self.kind not in kinds:
                raise UsageError(f"{name} belongs to denoiser.kind {' and '.join(kinds)}, not to {self.kind}")
        check_between("dual_depth", self.dual_depth, 0, self.depth)
        # Rotary embeddings of flux leave an eighth of a head as it is and divide the rest between two axes.
        unit = (32 if self.kind == "flux" else 4) * self.heads
        if self.width % unit:
            raise UsageError(f"width is {self.width}, expected a multiple of {unit} for {self.heads} heads")
        if self.size_input and self.width % 3:
            raise UsageError(f"width is {self.width}, expected a multiple of 3 where the size is an input")
        if self.cross_heads and self.width % self.cross_heads:
            raise UsageError(f"width is {self.width}, expected a multiple of cross_heads = {self.cross_heads}")
        if (self.positions in ("table", "stored")) != (self.table_size > 0):
            raise UsageError("table_size is the side of positions 'table' and 'stored'; give both or neither")


@dataclass(frozen=True)
class ObjectiveConfig:
    """What the denoiser predicts, noise levels, and guidance dropout of the training."""

    prediction: Literal["rf", "v", "edm", "epsilon"] = "rf"
    """rf: the velocity of rectified flow; v: that of a diffusion that preserves the variance; edm: a picture, with the
    factors of Karras et al. (2022); epsilon: the noise in 1000 steps, of imported networks"""
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
        check_choice("prediction", self.prediction, ("rf", "v", "edm", "epsilon"))
        check_positive("sigma_data", self.sigma_data)
        check_choice("density", self.density, ("logit-normal", "uniform", "mode", "cosmap"))
        check_positive("scale", self.scale)
        check_positive("shift", self.shift)
        check_between("text_dropout", self.text_dropout, 0.0, 1.0)


@dataclass(frozen=True)
class SamplingOptions:
    """How pictures are drawn."""

    sampler: Literal["euler", "heun", "dpmpp-2m", "ancestral", "churn"] = "euler"
    """euler and heun solve the ordinary differential equation; dpmpp-2m is DPM-Solver++ of order 2; ancestral adds
    noise; churn is heun after some noise has been added before each step"""
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
    momentum: float = 0.0
    """of the differences that guidance adds, from step to step; negative values leave out what earlier steps added"""
    norm_limit: float = 0.0
    """largest norm of the difference of pictures that guidance adds, before its weight; 0 sets no limit"""
    churn: float = 0.0
    """of the sampler churn: the noise that is added in all steps together, as by Karras et al. (2022)"""

    def __post_init__(self) -> None:
        check_choice("sampler", self.sampler, ("euler", "heun", "dpmpp-2m", "ancestral", "churn"))
        check_between("momentum", self.momentum, -1.0, 1.0)
        check_non_negative("norm_limit", self.norm_limit)
        check_non_negative("churn", self.churn)
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
    averages: tuple[float, ...] = ()
    """relative widths of further averages of the weights, by a power function, of which others follow afterwards"""

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        for width in self.averages:
            # The largest width is that of the mean of all steps.
            check_between("averages", width, 0.01, 0.28)


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
        outputs = self.denoiser.output_channels or self.denoiser.channels
        if outputs != self.denoiser.channels and self.objective.prediction != "epsilon":
            raise UsageError(f"denoiser.output_channels is {outputs}, expected 0 or {self.denoiser.channels}")
        if self.denoiser.text_dim != self.text.dim:
            raise UsageError(f"denoiser.text_dim is {self.denoiser.text_dim}, expected text.dim, {self.text.dim}")
        pooled = self.text.pooled_dim or self.text.dim
        if self.denoiser.pooled_dim != pooled:
            raise UsageError(f"denoiser.pooled_dim is {self.denoiser.pooled_dim}, expected that of the text, {pooled}")
        unit = self.autoencoder.factor * self.denoiser.patch
        if self.data.size % unit:
            raise UsageError(f"data.size is {self.data.size}, expected a multiple of factor * patch = {unit}")

    @property
    def grid(self) -> int:
        """Latents of a side of a picture."""
        return self.data.size // self.autoencoder.factor


@dataclass(frozen=True)
class StudyRules:
    """Limits of studies with raters, by default those of the paper, section 3.1."""

    ratings: int = 2500
    """of each study: a question about a pair of models, or about one where objects are counted"""
    submission: int = 50
    """ratings of one rater in a study, by default 2% of it"""
    largest_share: float = 0.1
    """of all studies, in which a rater may take part; at least one"""

    def __post_init__(self) -> None:
        check_positive("ratings", self.ratings)
        check_positive("submission", self.submission)
        check_between("largest_share", self.largest_share, 0.0, 1.0)
        if self.ratings % self.submission:
            raise UsageError(f"ratings is {self.ratings}, expected a multiple of submission ({self.submission})")

    def studies_of_a_rater(self, studies: int) -> int:
        """Studies that a rater may take part in, at least one."""
        return max(1, int(self.largest_share * studies))


# Features of the noise of the small picture, which stand beside those of the whole text.
LEVEL_FEATURES = 256


@dataclass(frozen=True)
class UpsamplerConfig:
    """A network that doubles the size of a system's pictures."""

    denoiser: DenoiserConfig
    training: TrainingConfig
    system: str = "emoji"
    """the system whose text encoder is used: one that ships with the package, or a folder"""
    data: DataConfig = DataConfig()
    """pictures of the large size"""
    objective: ObjectiveConfig = ObjectiveConfig("edm", sigma_data=1.0, location=1.0, scale=1.5)
    fold: int = 2
    """pixels of a side of the squares that are folded into channels"""
    contrast: float = 15.0
    """factor of the difference from the enlarged small picture, so that its standard deviation is about 1"""
    largest_noise: float = 0.05
    """of the small picture in the training, uniform from 0"""
    degraded_share: float = 0.0
    """of small pictures with blur, noise and traces of JPEG files"""
    noise: float = 0.0
    """of the small picture when sampling"""
    steps: int = 8
    """of Euler's method"""
    tile: int = 64
    """squares of a side of the overlapping tiles"""

    def __post_init__(self) -> None:
        check_between("largest_noise", self.largest_noise, 0.0, 1.0)
        check_between("degraded_share", self.degraded_share, 0.0, 1.0)
        check_between("noise", self.noise, 0.0, self.largest_noise)
        for name in ("steps", "tile", "fold", "contrast"):
            check_positive(name, getattr(self, name))
        own, channels = self.denoiser, 3 * self.fold**2
        if (own.channels, own.output_channels) != (2 * channels, channels):
            raise UsageError(
                f"denoiser.channels and output_channels are {own.channels} and {own.output_channels}, expected "
                f"{2 * channels} and {channels}: squares of {self.fold} by {self.fold} pixels of both pictures"
            )
        if own.pooled_dim != own.text_dim + LEVEL_FEATURES:
            raise UsageError(f"denoiser.pooled_dim is {own.pooled_dim}, expected text_dim + {LEVEL_FEATURES}")
        if self.tile % (4 * own.patch):
            raise UsageError(f"tile is {self.tile}, expected a multiple of 4 * denoiser.patch, {4 * own.patch}")
        if self.data.size % (2 * self.unit):
            raise UsageError(f"data.size is {self.data.size}, expected a multiple of {2 * self.unit}")

    @property
    def unit(self) -> int:
        """Pixels whose multiples are the sides of a small picture; one may be folded and patched when doubled."""
        side = self.fold * self.denoiser.patch
        return side // 2 if side % 2 == 0 else side


@dataclass(frozen=True)
class FilterConfig:
    """Limits of the filters of a collection."""

    folder: Path = Path("pictures")
    """pictures, each with a caption in NAME.txt"""
    smallest_side: int = 64
    """pixels of the shorter side"""
    largest_ratio: float = 4.0
    """of the longer side to the shorter one"""
    darkest: float = 8.0
    """mean grey value"""
    brightest: float = 252.0
    """mean grey value"""
    least_entropy: float = 0.5
    """bits of the histogram of grey values"""
    least_sharpness: float = 20.0
    """variance of the Laplacian of grey values"""
    similar: Literal["drop", "weigh"] = "drop"
    """keep the largest of similar pictures, or keep all with lower weights"""
    hash_bits: int = 2
    """most bits of 64 in which the hashes of similar pictures disagree"""
    layout_tolerance: float = 10.0
    """root mean square difference of the colours of 8 by 8 cells of similar pictures, in 8-bit values"""
    similar_exponent: float = 1.0
    """of the size of a group in the weights; 1 draws each group as often as a single picture"""
    unsafe_words: Path | None = None
    """list of words, one on a line; captions with them are dropped"""
    redact: bool = False
    """replace personal data in captions; otherwise such pictures are dropped"""

    def __post_init__(self) -> None:
        check_positive("smallest_side", self.smallest_side)
        check_between("largest_ratio", self.largest_ratio, 1.0, 1000.0)
        check_between("darkest", self.darkest, 0.0, 255.0)
        check_between("brightest", self.brightest, self.darkest, 255.0)
        check_between("least_entropy", self.least_entropy, 0.0, 8.0)
        check_non_negative("least_sharpness", self.least_sharpness)
        check_choice("similar", self.similar, ("drop", "weigh"))
        check_between("hash_bits", self.hash_bits, 0, 64)
        check_non_negative("layout_tolerance", self.layout_tolerance)
        check_between("similar_exponent", self.similar_exponent, 0.0, 1.0)
