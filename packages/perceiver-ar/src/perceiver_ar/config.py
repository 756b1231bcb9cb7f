"""Every configuration as data, and the presets that name them."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

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


# The first ids of every vocabulary; data symbols start at RESERVED.
PAD, EOS, SOS, RESERVED = 0, 1, 2, 3


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


@dataclass(frozen=True)
class ModelConfig:
    """A Perceiver AR: M inputs are read once by N latents, which a deep causal stack then works on.

    `width` and `depth` are the dials; fields that are 0 take the value that the sentence below them names.
    """

    vocab_size: int = 259
    """V, with the three reserved ids PAD, EOS and SOS"""
    context_length: int = 1024
    """M, the most inputs that the model reads"""
    num_latents: int = 256
    """N in training; an evaluation may use another number, since no parameter depends on it"""
    depth: int = 4
    """L, self-attention blocks after the cross-attention"""
    width: int = 192
    """D, of the latents"""
    input_width: int = 0
    """C, of the embedded inputs and of the cross-attention; 0: the width of the latents"""
    heads: int = 4
    """of each self-attention block"""
    cross_heads: int = 0
    """of the cross-attention; 0: as many as in the stack"""
    widening: int = 4
    """hidden width of a perceptron over its width"""
    positions: Literal["absolute", "rotary", "both"] = "rotary"
    """absolute: added to the embeddings; rotary: turn queries and keys of every attention"""
    position_tables: Literal["sinusoidal", "fourier", "learned"] = "sinusoidal"
    """of absolute positions; sinusoids, of wavelengths in geometric steps, and Fourier features, of frequencies in even
    steps, are fixed and computed where they are needed, so they cost no memory"""
    axes: tuple[int, ...] = ()
    """size of each axis of absolute positions, e.g. column, row and channel; empty: one axis of M + 1"""
    numbering: Literal["data", "terminal", "negative-terminal"] = "data"
    """data: 1, 2, ... from the start, which cached sampling needs; terminal: from 0 at the last input upwards towards
    the past, as the official code does by default; negative-terminal: the same with the sign turned"""
    rotary_fraction: float = 0.25
    """part of each head's channels that turn, rounded down to an even number"""
    rotary_heads: float = 1.0
    """part of the heads of each attention that turn, the first ones, rounded down"""
    rotary_style: Literal["official", "standard", "half"] = "official"
    """official: interleaved pairs, wavelengths up to and including the largest; standard: interleaved, one step short
    of it; half: as standard, but channel i is paired with the one half the turning width away"""
    max_wavelength: float = 0.0
    """divisor of the slowest rotary pair; 0: the context length, which is also the least it may be"""
    dropout: float = 0.0
    """of what each attention and perceptron adds to the residual stream"""
    prefix_dropout: float = 0.0
    """part of the inputs that the cross-attention does not see in training"""
    prefix_dropout_kind: Literal["exact", "bernoulli", "fixed"] = "exact"
    """exact: a fixed share of the inputs before the first latent, which then cost nothing; bernoulli: each input by its
    own coin, as the official code does; fixed: a fixed number of all inputs is kept, the official code's other variant.
    Every latent always sees its own input. The paper leaves the choice open."""
    adaptive_cutoffs: tuple[int, ...] = ()
    """ids at which the vocabulary is cut into bands, the common words first: adaptive embeddings, shared by inputs and
    outputs; empty: one table for the inputs and another for the outputs"""
    adaptive_factor: int = 4
    """each band's embeddings are narrower than those of the band before by this factor"""
    chunk: int = 1024
    """queries and keys that attention treats at once; sets memory, not results"""
    logits_chunk: int = 0
    """latents of each example whose logits the loss holds at once; sets memory, not results; 0: all"""
    remat: bool = False
    """compute the inside of each block again in the backward pass rather than keep it"""

    def __post_init__(self) -> None:
        for name in ("context_length", "num_latents", "width", "heads", "widening", "chunk", "adaptive_factor"):
            check_positive(name, getattr(self, name))
        for name in ("depth", "input_width", "cross_heads", "max_wavelength", "logits_chunk"):
            check_non_negative(name, getattr(self, name))
        check_choice("positions", self.positions, ("absolute", "rotary", "both"))
        check_choice("position_tables", self.position_tables, ("sinusoidal", "fourier", "learned"))
        check_choice("numbering", self.numbering, ("data", "terminal", "negative-terminal"))
        check_choice("rotary_style", self.rotary_style, ("official", "standard", "half"))
        check_choice("prefix_dropout_kind", self.prefix_dropout_kind, ("exact", "bernoulli", "fixed"))
        check_between("dropout", self.dropout, 0.0, 1.0)
        if not 0 <= self.prefix_dropout < 1:
            raise UsageError(f"prefix_dropout is {self.prefix_dropout}, expected a number from 0 to below 1")
        if self.vocab_size <= RESERVED:
            raise UsageError(f"vocab_size is {self.vocab_size}, expected more than the {RESERVED} reserved ids")
        if self.num_latents > self.context_length:
            raise UsageError(
                f"num_latents is {self.num_latents}, expected at most context_length, which is {self.context_length}"
            )
        if self.width % self.heads:
            raise UsageError(f"width is {self.width}, expected a multiple of the {self.heads} heads")
        if self.input_dim % self.num_cross_heads:
            raise UsageError(
                f"input_width is {self.input_dim}, expected a multiple of the {self.num_cross_heads} cross_heads"
            )
        if self.adaptive_cutoffs:
            self._check_adaptive()
        if self.turns:
            self._check_rotary()
        if self.adds:
            for size in self.axes:
                check_positive("axes", size)
            if self.position_tables != "learned" and (self.input_dim % 2 or self.input_dim < 4):
                raise UsageError(f"input_width is {self.input_dim}, expected an even number from 4 on for sinusoids")
            if self.position_tables == "fourier" and min(self.axis_sizes) < 2:
                raise UsageError(f"axes are {self.axes}, expected sizes from 2 on for Fourier features")
            if self.numbering == "negative-terminal":
                raise UsageError("numbering is 'negative-terminal', expected 'data' or 'terminal': tables start at 0")

    def _check_adaptive(self) -> None:
        edges = 0, *self.adaptive_cutoffs, self.vocab_size
        if any(low >= high for low, high in pairwise(edges)):
            raise UsageError(
                f"adaptive_cutoffs are {self.adaptive_cutoffs}, expected growing ids between 0 and vocab_size, "
                f"{self.vocab_size}"
            )
        if self.input_dim != self.width:
            raise UsageError(
                f"input_width is {self.input_dim}, expected the width, {self.width}: adaptive embeddings are shared by "
                "inputs and outputs"
            )
        if self.width < self.adaptive_factor ** len(self.adaptive_cutoffs):
            raise UsageError(
                f"width is {self.width}, expected at least {self.adaptive_factor ** len(self.adaptive_cutoffs)}, so "
                f"that the last band of {len(self.adaptive_cutoffs) + 1} keeps a channel"
            )

    def _check_rotary(self) -> None:
        if not 0 < self.rotary_fraction <= 1:
            raise UsageError(f"rotary_fraction is {self.rotary_fraction}, expected a number above 0 and at most 1")
        narrowest = min(self.width // self.heads, self.input_dim // self.num_cross_heads)
        if narrowest * self.rotary_fraction < 2:
            raise UsageError(
                f"rotary_fraction is {self.rotary_fraction} of heads of width {narrowest}, which turns no channel; "
                f"expected at least {2 / narrowest:g}"
            )
        if not 0 < self.rotary_heads <= 1 or self.turning_heads(min(self.heads, self.num_cross_heads)) < 1:
            raise UsageError(
                f"rotary_heads is {self.rotary_heads}, expected a number above 0 and at most 1 that leaves at least "
                f"one of {min(self.heads, self.num_cross_heads)} heads turning"
            )
        if self.wavelength < self.context_length:
            raise UsageError(
                f"max_wavelength is {self.max_wavelength}, expected at least context_length, {self.context_length}"
            )

    @property
    def input_dim(self) -> int:
        """C."""
        return self.input_width or self.width

    @property
    def num_cross_heads(self) -> int:
        """Heads of the cross-attention."""
        return self.cross_heads or self.heads

    def turning_heads(self, heads: int) -> int:
        """How many heads of so many turn."""
        return int(self.rotary_heads * heads)

    @property
    def turns(self) -> bool:
        """Whether queries and keys are turned by their positions."""
        return self.positions != "absolute"

    @property
    def adds(self) -> bool:
        """Whether positions are added to the embeddings."""
        return self.positions != "rotary"

    @property
    def wavelength(self) -> float:
        """W, the divisor of the slowest rotary pair."""
        return self.max_wavelength or float(self.context_length)

    @property
    def bands(self) -> tuple[tuple[int, int, int], ...]:
        """First id, end and embedding width of each band of an adaptive vocabulary."""
        edges = 0, *self.adaptive_cutoffs, self.vocab_size
        return tuple(
            (low, high, self.input_dim // self.adaptive_factor**band)
            for band, (low, high) in enumerate(pairwise(edges))
        )

    @property
    def axis_sizes(self) -> tuple[int, ...]:
        """Rows of each table of absolute positions."""
        return self.axes or (self.context_length + 1,)

    @property
    def needs_coordinates(self) -> bool:
        """Whether absolute positions have several axes, so that numbers of inputs do not say where they are."""
        return self.adds and len(self.axis_sizes) > 1


@dataclass(frozen=True)
class TransformerXLConfig:
    """The paper's recurrent baseline: segments, each of which also reads the states of those before it."""

    vocab_size: int = 259
    """V, with the three reserved ids"""
    segment: int = 256
    """tokens that are read at once, each of them a target"""
    memory: int = 256
    """earlier tokens whose states each layer remembers; an evaluation may remember more"""
    depth: int = 4
    width: int = 192
    heads: int = 4
    widening: int = 4
    """hidden width of a perceptron over its width"""
    dropout: float = 0.0
    """of what each attention and perceptron adds to the residual stream"""
    remat: bool = False
    """compute the inside of each layer again in the backward pass rather than keep it"""

    def __post_init__(self) -> None:
        for name in ("segment", "memory", "depth", "width", "heads", "widening"):
            check_positive(name, getattr(self, name))
        check_between("dropout", self.dropout, 0.0, 1.0)
        if self.vocab_size <= RESERVED:
            raise UsageError(f"vocab_size is {self.vocab_size}, expected more than the {RESERVED} reserved ids")
        if self.width % self.heads or self.width % 2 or self.width < 4:
            raise UsageError(f"width is {self.width}, expected an even multiple of the {self.heads} heads from 4 on")


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is drawn from logits; the cuts come before the temperature, as in the official code."""

    temperature: float = 1.0
    """0 takes the most probable token"""
    top_k: int = 0
    """keep the k most probable tokens; 0 keeps all"""
    top_p: float = 1.0
    """keep the smallest set of tokens that holds this much probability"""

    def __post_init__(self) -> None:
        check_non_negative("temperature", self.temperature)
        check_non_negative("top_k", self.top_k)
        check_positive("top_p", self.top_p)
        check_between("top_p", self.top_p, 0.0, 1.0)


@dataclass(frozen=True)
class ExperimentConfig:
    """A model, what it learns from, and how."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0, warmup_steps=100)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)
    z_loss: float = 1e-4
    """weight of the squared log of the partition function"""
    loss_reduction: Literal["sum", "mean"] = "mean"
    """over the targets of a batch. The paper's runs sum, so that clipping at norm 1 is at work in practically every
    step: with Adam this is another optimiser than the mean"""
    label_smoothing: float = 0.0
    """probability that a target gives to the other tokens in equal parts"""
    samples: int = 4
    """sequences that are drawn with every evaluation during training, to look at or to hear; 0 draws none"""

    def __post_init__(self) -> None:
        check_choice("loss_reduction", self.loss_reduction, ("sum", "mean"))
        check_positive("batch_size", self.batch_size)
        check_non_negative("z_loss", self.z_loss)
        check_non_negative("samples", self.samples)
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"label_smoothing is {self.label_smoothing}, expected a number from 0 to below 1")
