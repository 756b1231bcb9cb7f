"""Configurations as frozen dataclasses: data, network, training, oracle models and sampling."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.paper import VerbOptions
from onepaper.training import LoopOptions

DATASETS = ("splice", "letters", "digits", "sudoku4", "sudoku9", "text", "fasta")
LOSSES = ("bound", "cross-entropy")
LAYOUTS = ("line", "grid")
PRECISIONS = ("float32", "float16")
# Networks whose trained weights come with the package; each was trained by the preset laptop-NAME.
SHIPPED = ("splice", "letters", "digits", "sudoku4")
LETTERS = " abcdefghijklmnopqrstuvwxyz"
NUCLEOTIDES = "ACGU"
# Samplers of `diffusion.reverse` and `diffusion.probability_flow`, by their names on the command line.
Sampler = Literal[
    "ancestral", "euler-reflected", "euler-truncated", "euler-floored", "milstein", "implicit-root", "log-euler",
    "quadratic-exponential", "flow-euler", "flow-heun", "flow-rk4", "flow-adaptive",
]  # fmt: skip
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)


def check_root_shape(a: float) -> None:
    """Raise `UsageError` for a shape below 1/2, for which the equation of the implicit-root scheme has no real root."""
    if not a >= 0.5:
        raise UsageError(f"implicit-root needs a shape a of at least 0.5, got {a:g}; choose another sampler")


def check_shapes(a: float | tuple[float, ...], num_categories: int) -> None:
    """Raise `UsageError` for shapes that are not finite and above 0, or not one for all or one for each category."""
    if isinstance(a, tuple) and len(a) != num_categories:
        raise UsageError(f"a has {len(a)} entries, expected one number or one for each of {num_categories} categories")
    for shape in a if isinstance(a, tuple) else (a,):
        check_positive("a", shape)


@dataclass(frozen=True)
class DataConfig:
    """The data set."""

    dataset: Literal["splice", "letters", "digits", "sudoku4", "sudoku9", "text", "fasta"] = "splice"
    """splice: human 5' splice sites; letters: a book in 27 symbols; digits: 8 x 8 pixels in black and white; sudoku4,
    sudoku9: generated grids; text, fasta: a user's file, see `path`"""
    length: int = 32
    """positions in a sequence, for letters, text and fasta"""
    path: Path | None = None
    """the file, for text and fasta"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, DATASETS)
        check_positive("length", self.length)
        if (self.path is None) == (self.dataset in ("text", "fasta")):
            raise UsageError(
                f"dataset is '{self.dataset}' and path {self.path}, expected a path for text and fasta only"
            )


@dataclass(frozen=True)
class ModelConfig:
    """A transformer that predicts token probabilities; `width` sets its size."""

    symbols: str = NUCLEOTIDES
    """one character for each category; a FASTA file is read in them"""
    positions: int = 9
    """length of a sequence"""
    width: int = 64
    """size of the hidden state of a position"""
    depth: int = 2
    """number of blocks"""
    heads: int = 4
    """attention heads; the width is a multiple of twice their number"""
    layout: Literal["line", "grid"] = "line"
    """line: a learnt embedding for each position; grid: sums of row, column and box embeddings"""
    rotary: bool = False
    """rotary position embeddings in the attention, so that it can depend on the distance of two positions"""
    a: float | tuple[float, ...] = 1.0
    """shape of the stationary Gamma distribution of every coordinate, or one for each category; 1 makes the noise
    uniform on the simplex"""
    evidence: bool = True
    """give the network the exact posterior of each noisy vector alone, and add its log evidence to the logits, so that
    only the context has to be learnt; if false, the input is the square roots of the vectors, and the SNR"""
    self_conditioning: bool = False
    """also use the probabilities of a first pass as input, in half of the training examples and at every step of
    sampling"""
    num_classes: int = 0
    """classes to condition on; 0 for an unconditional model"""
    stored: Literal["float32", "float16"] = "float32"
    """precision of the weights in a pretrained folder; float16 halves the file"""

    def __post_init__(self) -> None:
        for name in ("positions", "width", "depth", "heads"):
            check_positive(name, getattr(self, name))
        check_shapes(self.a, self.num_categories)
        check_choice("layout", self.layout, LAYOUTS)
        check_choice("stored", self.stored, PRECISIONS)
        check_non_negative("num_classes", self.num_classes)
        if len(self.symbols) < 2 or len(set(self.symbols)) < len(self.symbols):
            raise UsageError(f"symbols are {self.symbols!r}, expected at least two different ones")
        if self.width % (2 * self.heads):
            raise UsageError(f"width is {self.width} for {self.heads} heads, expected a multiple of {2 * self.heads}")
        side = round(self.positions**0.5)
        if self.layout == "grid" and (side**2 != self.positions or round(side**0.5) ** 2 != side):
            raise UsageError(f"a grid of {self.positions} cells has no square boxes, expected 16 or 81 positions")

    @property
    def num_categories(self) -> int:
        """n."""
        return len(self.symbols)

    @property
    def is_conditional(self) -> bool:
        """Whether the network has a condition for the whole sequence: a class, or the SNR where there is no
        evidence."""
        return bool(self.num_classes) or not self.evidence


@dataclass(frozen=True)
class LearnedConfig:
    """Training of a network: data, architecture, loss, optimiser and length."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    loss: Literal["bound", "cross-entropy"] = "cross-entropy"
    """bound: the integrand of the likelihood bound, times the SNR; cross-entropy: of the tokens, at even log SNR"""
    lowest_snr: float = 0.1
    """lower end of the SNRs in training, where almost nothing is known of the tokens"""
    highest_snr: float = 60.0
    """upper end, where the tokens are known"""
    label_dropout: float = 0.1
    """probability that the class of a training example is dropped"""
    clamp_prob: float = 0.75
    """probability that a random part of a training sequence is given exactly, so that the model learns to fill in"""
    mask_prob: float = 0.75
    """probability that a random part of a training sequence is masked (SNR 0), to be predicted from its context alone.
    For networks with evidence and the loss cross-entropy"""
    batch_size: int = 256
    samples: int = 16
    """sequences drawn at every evaluation during training, written as figures; 0 draws none"""
    optimizer: OptimizerOptions = OptimizerOptions(
        lr=3e-3,
        schedule="cosine",
        warmup_steps=100,
        clip_norm=1.0,
        weight_decay=0.01,
        decay="matrices",
        ema_decay=0.995,
        ema_warmup=True,
    )
    loop: LoopOptions = LoopOptions(steps=15_000, log_every=100, evaluate_every=1000, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, LOSSES)
        check_positive("lowest_snr", self.lowest_snr)
        check_positive("batch_size", self.batch_size)
        check_non_negative("samples", self.samples)
        check_between("label_dropout", self.label_dropout, 0.0, 1.0)
        check_between("clamp_prob", self.clamp_prob, 0.0, 1.0)
        check_between("mask_prob", self.mask_prob, 0.0, 1.0)
        if self.mask_prob and not (self.model.evidence and self.loss == "cross-entropy"):
            raise UsageError(
                f"mask_prob is {self.mask_prob}, expected 0 for a network without evidence and for the loss bound"
            )
        if self.highest_snr <= self.lowest_snr:
            raise UsageError(f"SNR goes from {self.lowest_snr} to {self.highest_snr}, expected an increasing range")


@dataclass(frozen=True)
class OracleConfig:
    """Comparison of samplers on a prior with an exact posterior: without a network, every error is that of the
    sampler."""

    probabilities: tuple[float, ...] = (0.6, 0.25, 0.1, 0.05)
    """of the categories; of the first token for a chain"""
    stay: float = 0.0
    """of a Markov chain: probability that a token repeats the previous one, else it is an independent draw; 0 for no
    chain"""
    positions: int = 1
    """length of a sequence"""
    a: float | tuple[float, ...] = 1.0
    """shape of the stationary Gamma distribution of every coordinate, or one for each category"""
    samplers: tuple[str, ...] = SAMPLERS
    """samplers to compare, names as for `sample --sampler`"""
    steps: tuple[int, ...] = (4, 16, 64)
    """numbers of steps, one column each"""
    num_draws: int = 20_000
    """sequences drawn for each entry of the table"""
    lowest_snr: float = 1e-2
    """SNR at which samplers start from noise"""
    highest_snr: float = 60.0
    """SNR at which they end, where the tokens are known almost surely"""

    def __post_init__(self) -> None:
        if len(self.probabilities) < 2 or min(self.probabilities) < 0 or abs(sum(self.probabilities) - 1) > 1e-6:
            raise UsageError(
                f"probabilities are {self.probabilities}, expected at least two numbers >= 0 that sum to 1"
            )
        check_between("stay", self.stay, 0.0, 1.0)
        for name in ("positions", "num_draws", "lowest_snr"):
            check_positive(name, getattr(self, name))
        check_shapes(self.a, len(self.probabilities))
        for sampler in self.samplers:
            check_choice("sampler", sampler, SAMPLERS)
        if "implicit-root" in self.samplers:
            check_root_shape(min(self.a) if isinstance(self.a, tuple) else self.a)
        for steps in self.steps:
            check_positive("steps", steps)
        if self.highest_snr <= self.lowest_snr:
            raise UsageError(f"SNR goes from {self.lowest_snr} to {self.highest_snr}, expected an increasing range")


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "splice"
    """a network that ships with the package, or the folder of a training run"""
    count: int = 16
    """sequences to draw"""
    steps: int = 64
    """number of steps between noise levels"""
    sampler: Sampler = "ancestral"
    """ancestral: exact bridges; the others discretise the reverse SDE, or integrate the probability flow"""
    dilation: float = 1.0
    """how much closer steps are in the upper half of the log SNRs, where tokens are decided; 1 spaces all evenly"""
    temperature: float = 1.0
    """temperature of the token probabilities; below 1 probable tokens become more probable"""
    clamp: str | None = None
    """known symbols, with '?' at positions to fill in, e.g. "CAGGU????" """
    label: int | None = None
    """class to sample, for a conditional model"""
    guidance: float = 0.0
    """weight w of classifier-free guidance: logits (1 + w) conditional - w unconditional"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_positive("steps", self.steps)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_positive("dilation", self.dilation)
        check_positive("temperature", self.temperature)
        check_non_negative("guidance", self.guidance)
        if self.guidance and self.label is None:
            raise UsageError(f"guidance is {self.guidance} without a class; say which by --label")
