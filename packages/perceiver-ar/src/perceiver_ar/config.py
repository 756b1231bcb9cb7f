"""Configurations of data, models, sampling and training, as frozen dataclasses that validate their fields."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

# Dataset -> kind of its sequences.
KINDS = {
    "copy": "copy",
    "novels": "text", "text": "text", "pg19": "text", "wikitext103": "text",
    "digits": "images", "photos": "images", "images": "images", "imagenet64": "images",
    "freedoom": "events", "midi": "events", "maestro": "events",
    "codes": "codes",
}  # fmt: skip


# Datasets that need a path from the user, and datasets that are also looked up below $ONEPAPER_DATA.
USER_DATASETS = ("text", "images", "midi", "codes")


PUBLISHED_DATASETS = ("pg19", "wikitext103", "imagenet64", "maestro")


# The first ids of every vocabulary; data symbols start at RESERVED.
PAD, EOS, SOS, RESERVED = 0, 1, 2, 3


@dataclass(frozen=True)
class DataConfig:
    """Which dataset a model is trained on, and how it becomes tokens."""

    dataset: Literal[
        "copy", "novels", "text", "pg19", "wikitext103", "digits", "photos", "images", "imagenet64", "freedoom",
        "midi", "maestro", "codes",
    ] = "copy"  # fmt: skip
    """copy: a random sequence and its mirror image. Text: novels (six by Jane Austen, included), text (your file or
    folder), pg19, wikitext103. Images: digits (8 x 8, from scikit-learn), photos (crops of scikit-learn's two), images
    (your folder), imagenet64. Music as events: freedoom (included), midi (your folder), maestro. codes: your .npy
    files with codes of a neural audio codec"""
    path: Path | None = None
    """path of text, images, midi or codes, or of a local copy of pg19, wikitext103, imagenet64 or maestro (by default
    $ONEPAPER_DATA/NAME)"""
    tokens: Literal["bytes", "pieces", "words"] = "bytes"
    """tokenizer of text: UTF-8 bytes, SentencePiece trained on the training part, or words between spaces"""
    pieces: int = 2048
    """vocabulary size of SentencePiece"""
    order: Literal["raster", "planes"] = "raster"
    """order of the values of an image: pixel by pixel, or all red values, then all green, then all blue"""
    side: int = 16
    """height and width of images and photos, in pixels"""
    codebook_size: int = 1024
    """codes in each codebook"""
    transpose: int = 0
    """music only: each training window is transposed by a random number of semitones, up to this many up or down"""
    least_inputs: int = 0
    """inputs of the shortest training window; 0: the number of latents, so that the first tokens of a document are
    scored too. With the context length all windows are full, which allows the faster attention without a mask"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, KINDS)
        check_choice("tokens", self.tokens, ("bytes", "pieces", "words"))
        check_choice("order", self.order, ("raster", "planes"))
        for name in ("pieces", "side", "codebook_size"):
            check_positive(name, getattr(self, name))
        check_non_negative("least_inputs", self.least_inputs)
        check_non_negative("transpose", self.transpose)
        if self.transpose and self.kind != "events":
            raise UsageError(f"transpose is {self.transpose} for {self.kind}, expected 0: only music can be transposed")
        if self.path is None and self.dataset in USER_DATASETS:
            raise UsageError(f"dataset '{self.dataset}' is read from your files; give their path with --data.path")
        if self.path is not None and self.dataset not in (*USER_DATASETS, *PUBLISHED_DATASETS):
            raise UsageError(f"dataset '{self.dataset}' takes no path; leave --data.path out or choose another dataset")

    @property
    def kind(self) -> str:
        """copy, text, images, events or codes."""
        return KINDS[self.dataset]


@dataclass(frozen=True)
class ModelConfig:
    """A Perceiver AR: N latents read M inputs by one cross-attention, followed by a causal self-attention stack.

    `width` and `depth` set the size; a field that is 0 takes the default that its description names.
    """

    vocab_size: int = 259
    """V, including the three reserved ids PAD, EOS and SOS"""
    context_length: int = 1024
    """M, maximum number of inputs"""
    num_latents: int = 256
    """N in training; an evaluation may use another number, because no parameter depends on it"""
    depth: int = 4
    """L, number of self-attention blocks after the cross-attention"""
    width: int = 192
    """D, width of the latents"""
    input_width: int = 0
    """C, width of the embedded inputs and of the cross-attention; 0: the width of the latents"""
    heads: int = 4
    """heads of each self-attention block"""
    cross_heads: int = 0
    """heads of the cross-attention; 0: as many as in a self-attention block"""
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    positions: Literal["absolute", "rotary", "both"] = "rotary"
    """absolute: added to the embeddings; rotary: queries and keys of every attention are rotated; both: both"""
    position_tables: Literal["sinusoidal", "fourier", "learned"] = "sinusoidal"
    """kind of absolute positions; sinusoids (wavelengths in a geometric progression) and Fourier features (frequencies
    evenly spaced) are fixed and computed when needed, so they take no memory"""
    axes: tuple[int, ...] = ()
    """size of each axis of absolute positions, e.g. column, row and channel; empty: one axis of size M + 1"""
    numbering: Literal["data", "terminal", "negative-terminal"] = "data"
    """data: 1, 2, ... from the start, required for cached sampling; terminal: 0 at the last input, increasing towards
    the past, the default of the official code; negative-terminal: the same with a negative sign"""
    rotary_fraction: float = 0.25
    """fraction of the channels of each head that are rotated, rounded down to an even number"""
    rotary_heads: float = 1.0
    """fraction of the heads of each attention with rotary embeddings, the first ones, rounded down"""
    rotary_style: Literal["official", "standard", "half"] = "official"
    """official: interleaved pairs, exponents from 0 to exactly 1; standard: interleaved, exponents one step short of 1;
    half: as standard, but channel i is paired with channel i + r/2 of r rotated ones"""
    max_wavelength: float = 0.0
    """wavelength of the slowest rotary pair; 0: the context length, which is also the minimum"""
    dropout: float = 0.0
    """dropout rate of the outputs of each attention and MLP"""
    prefix_dropout: float = 0.0
    """fraction of the inputs that the cross-attention does not attend to in training"""
    prefix_dropout_kind: Literal["exact", "bernoulli", "fixed"] = "exact"
    """exact: a fixed fraction of the inputs before the first latent, which saves their computation; bernoulli: each
    input independently, as in the official code; fixed: a fixed number of all inputs is kept, the official code's other
    variant. Every latent always attends to its own input. The paper does not say which variant it used."""
    adaptive_cutoffs: tuple[int, ...] = ()
    """ids at which the vocabulary, ordered by frequency, is split into bands: adaptive embeddings, shared by inputs and
    outputs; empty: one table for the inputs and another for the outputs"""
    adaptive_factor: int = 4
    """ratio of the embedding widths of successive bands"""
    chunk: int = 1024
    """block length of queries and keys in attention; affects memory, not results"""
    logits_chunk: int = 0
    """latents of each example whose logits are in memory at once; affects memory, not results; 0: all"""
    remat: bool = False
    """rematerialize the activations of each block in the backward pass"""

    def __post_init__(self) -> None:
        for name in ("context_length", "num_latents", "width", "heads", "mlp_ratio", "chunk", "adaptive_factor"):
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
        if self.uses_rotary:
            self._check_rotary()
        if self.uses_absolute_positions:
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
                f"rotary_fraction is {self.rotary_fraction} of heads of width {narrowest}, which rotates no channel; "
                f"expected at least {2 / narrowest:g}"
            )
        if not 0 < self.rotary_heads <= 1 or self.num_rotary_heads(min(self.heads, self.num_cross_heads)) < 1:
            raise UsageError(
                f"rotary_heads is {self.rotary_heads}, expected a number above 0 and at most 1 that gives at least "
                f"one of {min(self.heads, self.num_cross_heads)} heads rotary embeddings"
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

    def num_rotary_heads(self, heads: int) -> int:
        """Number of heads with rotary embeddings, out of `heads`."""
        return int(self.rotary_heads * heads)

    @property
    def uses_rotary(self) -> bool:
        """Whether queries and keys have rotary embeddings."""
        return self.positions != "absolute"

    @property
    def uses_absolute_positions(self) -> bool:
        """Whether positions are added to the embeddings."""
        return self.positions != "rotary"

    @property
    def wavelength(self) -> float:
        """W, the wavelength of the slowest rotary pair."""
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
        """Whether absolute positions have several axes, so that the model needs coordinates of its inputs."""
        return self.uses_absolute_positions and len(self.axis_sizes) > 1


@dataclass(frozen=True)
class TransformerXLConfig:
    """Transformer-XL, the paper's recurrent baseline: each segment also attends to states of earlier ones."""

    vocab_size: int = 259
    """V, including the three reserved ids"""
    segment: int = 256
    """S, tokens of a segment, each of them a target"""
    memory: int = 256
    """P, earlier tokens whose states each layer keeps; an evaluation may keep more"""
    depth: int = 4
    width: int = 192
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    dropout: float = 0.0
    """dropout rate of the outputs of each attention and MLP"""
    remat: bool = False
    """rematerialize the activations of each layer in the backward pass"""

    def __post_init__(self) -> None:
        for name in ("segment", "memory", "depth", "width", "heads", "mlp_ratio"):
            check_positive(name, getattr(self, name))
        check_between("dropout", self.dropout, 0.0, 1.0)
        if self.vocab_size <= RESERVED:
            raise UsageError(f"vocab_size is {self.vocab_size}, expected more than the {RESERVED} reserved ids")
        if self.width % self.heads or self.width % 2 or self.width < 4:
            raise UsageError(f"width is {self.width}, expected an even multiple of the {self.heads} heads from 4 on")


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is sampled; top-k and top-p apply before the temperature (official code, sample_utils.py)."""

    temperature: float = 1.0
    """0 takes the most probable token"""
    top_k: int = 0
    """keep the k most probable tokens; 0: all"""
    top_p: float = 1.0
    """keep the smallest set of tokens with at least this total probability"""

    def __post_init__(self) -> None:
        check_non_negative("temperature", self.temperature)
        check_non_negative("top_k", self.top_k)
        check_positive("top_p", self.top_p)
        check_between("top_p", self.top_p, 0.0, 1.0)


@dataclass(frozen=True)
class ExperimentConfig:
    """Data, model, optimizer, length and loss of a training run."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0, warmup_steps=100)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)
    z_loss: float = 1e-4
    """weight of the squared log-partition function in the loss"""
    loss_reduction: Literal["sum", "mean"] = "mean"
    """over the targets of a batch. The paper's runs use the sum, so that clipping at norm 1 is active in almost every
    step; with Adam this gives other updates than the mean"""
    label_smoothing: float = 0.0
    """probability that the label spreads uniformly over the other tokens"""
    samples: int = 4
    """sequences sampled at every evaluation during training; 0: none"""

    def __post_init__(self) -> None:
        check_choice("loss_reduction", self.loss_reduction, ("sum", "mean"))
        check_positive("batch_size", self.batch_size)
        check_non_negative("z_loss", self.z_loss)
        check_non_negative("samples", self.samples)
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"label_smoothing is {self.label_smoothing}, expected a number from 0 to below 1")
