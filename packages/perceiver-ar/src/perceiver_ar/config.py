"""Every configuration as data, and the presets that name them."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from perceiver_ar.dataset_options import DataConfig

# The first ids of every vocabulary; data symbols start at RESERVED.
PAD, EOS, SOS, RESERVED = 0, 1, 2, 3


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
class Quoted:
    """A number of parameters that somebody else reports.

    Args:
        parameters: how many; the official code's layout counts fixed position tables as well.
        source: measured: counted by running the official code; computed: from its layout and a vocabulary that is an
            assumption; reported: what readers of the paper quote from it.
    """

    parameters: int
    source: Literal["measured", "computed", "reported"]


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


_ADAM = OptimizerOptions(name="adam", lr=3e-4, clip_norm=1.0, warmup_steps=10_000)
_COPY_ADAM = replace(_ADAM, warmup_steps=1000, schedule="cosine")
_LONG = LoopOptions(steps=1_000_000, log_every=100, evaluate_every=10_000, checkpoint_every=2000)


def _paper(
    data: DataConfig,
    model: ModelConfig,
    *,
    batch_size: int,
    steps: int = 1_000_000,
    optimizer: OptimizerOptions = _ADAM,
) -> ExperimentConfig:
    loop = replace(_LONG, steps=steps)
    return ExperimentConfig(data, model, batch_size, optimizer, loop, 1e-4, "sum")


# What the paper's runs share (section 4): 16 heads of 64 channels, squared ReLU, residual dropout of 0.1.
_BASE = ModelConfig(num_latents=1024, width=1024, heads=16, dropout=0.1, remat=True)
_COPY = replace(_BASE, positions="absolute")
_PIXELS = replace(_BASE, context_length=12_289, positions="absolute", position_tables="learned", axes=(66, 66, 5))
# The cut-offs are those that Wikitext-103 usually has (Baevski and Auli, 2019).
_WORDS = replace(
    _BASE,
    vocab_size=267_738,
    depth=18,
    rotary_fraction=0.5,
    prefix_dropout=0.5,
    adaptive_cutoffs=(20_000, 60_000),
    logits_chunk=128,
)
_PIECES = replace(_BASE, vocab_size=32_003, rotary_fraction=0.5, logits_chunk=256)
_NOTES = replace(_BASE, vocab_size=391, cross_heads=1, rotary_fraction=0.25, heads=4, prefix_dropout=0.7)
_IMAGENET = DataConfig("imagenet64")
# The private books stand for a folder of one's own, and so do the private performances and the codes of SoundStream.
_BOOKS = DataConfig("text", Path("books"), tokens="pieces", pieces=32_000)
_BOOKS_UNSURE = ("model.vocab_size", "model.input_width", "model.rotary_fraction", "batch_size", "loop.steps")

_PAPER = {
    "paper-copy-32": Preset(
        "the official demonstration on a CPU: 32 tokens, 16 latents",
        _paper(
            DataConfig("copy"),
            replace(_COPY, context_length=32, num_latents=16, depth=1),
            batch_size=1024,
            optimizer=_COPY_ADAM,
        ),
    ),
    "paper-copy-131k": Preset(
        "a mirrored sequence of 131,072 tokens",
        _paper(
            DataConfig("copy"),
            replace(_COPY, context_length=131_072, depth=6),
            batch_size=4096,
            steps=25_000,
            optimizer=_COPY_ADAM,
        ),
        unsure=("loop.steps",),
    ),
    "paper-imagenet64": Preset(
        "ImageNet in 64 x 64 pixels",
        _paper(
            _IMAGENET,
            replace(_PIXELS, depth=60),
            batch_size=2048,
            steps=750_000,
            optimizer=replace(_ADAM, schedule="cosine", decay_steps=50_000),
        ),
    ),
    "paper-imagenet64-order-full": Preset(
        "orders of pixels: a smaller model that reads the whole image",
        _paper(
            _IMAGENET,
            replace(_PIXELS, depth=16),
            batch_size=2048,
        ),
        unsure=("model.depth", "batch_size", "loop.steps"),
    ),
    "paper-imagenet64-order-1k": Preset(
        "orders of pixels: the same model with a context of its latents only",
        _paper(
            _IMAGENET,
            replace(_PIXELS, depth=16, context_length=1024),
            batch_size=2048,
        ),
        unsure=("model.depth", "batch_size", "loop.steps"),
    ),
    **{
        f"paper-wikitext103-{length // 1024}k": Preset(
            f"Wikitext-103 by words with adaptive embeddings, context {length}",
            _paper(
                DataConfig("wikitext103", tokens="words"),
                replace(_WORDS, context_length=length),
                batch_size=512,
            ),
            unsure=(
                "model.vocab_size",
                "model.adaptive_cutoffs",
                "model.adaptive_factor",
                "model.depth",
                "model.rotary_fraction",
                "model.prefix_dropout",
                "batch_size",
                "loop.steps",
            ),
        )
        for length in (1024, 2048, 4096, 8192)
    },
    **{
        f"paper-pg19-{length // 1024}k": Preset(
            f"PG-19 by pieces of words, context {length}; prefix dropout was 0.875 to 0.96875",
            _paper(
                DataConfig("pg19", tokens="pieces", pieces=32_000),
                replace(
                    _PIECES, context_length=length, depth=60, input_width=4096, cross_heads=128, prefix_dropout=0.96875
                ),
                batch_size=2048,
                steps=200_000,
            ),
            unsure=("model.vocab_size", "model.rotary_fraction", "model.prefix_dropout", "loop.steps"),
        )
        for length in (2048, 4096)
    },
    **{
        f"paper-books-{length // 1024}k": Preset(
            f"private books, context {length}, 36 layers",
            _paper(
                _BOOKS,
                replace(_PIECES, context_length=length, depth=36),
                batch_size=512,
            ),
            unsure=_BOOKS_UNSURE,
        )
        for length in (1024, 2048, 4096, 8192, 16_384)
    },
    "paper-books-deep": Preset(
        "private books, context 8192, 60 layers, against a Transformer-XL of 42",
        _paper(
            _BOOKS,
            replace(_PIECES, context_length=8192, depth=60),
            batch_size=512,
        ),
        unsure=_BOOKS_UNSURE,
    ),
    "paper-maestro": Preset(
        "MAESTRO piano performances as events",
        _paper(
            DataConfig("maestro"),
            replace(_NOTES, context_length=4096, num_latents=2048, depth=12),
            batch_size=512,
            optimizer=replace(_ADAM, lr=1e-4),
        ),
        unsure=("batch_size",),
    ),
    "paper-piano-10kh": Preset(
        "more than 10,000 hours of private piano transcriptions",
        _paper(
            DataConfig("midi", Path("piano")),
            replace(_NOTES, context_length=32_768, depth=24),
            batch_size=512,
            optimizer=replace(_ADAM, lr=1e-4),
        ),
        unsure=("batch_size", "loop.steps"),
    ),
    **{
        f"paper-soundstream-{length // 1024}k": Preset(
            f"MAESTRO as 12 kbps codes of SoundStream (24 codebooks of 1024), context {length}",
            _paper(
                DataConfig("codes", Path("soundstream")),
                replace(_NOTES, vocab_size=24 * 1024 + RESERVED, context_length=length, depth=12, logits_chunk=256),
                batch_size=512,
            ),
            unsure=("model.depth", "batch_size", "loop.steps", "optimizer.lr"),
        )
        for length in (8192, 16_384, 32_768, 65_536)
    },
}

# Numbers of parameters that others report for these rows.
QUOTED = {
    "paper-copy-32": Quoted(26_810_627, "measured"),
    "paper-copy-131k": Quoted(223_976_707, "measured"),
    "paper-imagenet64": Quoted(770_094_339, "measured"),
    **{f"paper-wikitext103-{length}k": Quoted(358_000_000, "reported") for length in (1, 2, 4, 8)},
    **{f"paper-pg19-{length}k": Quoted(974_600_000, "reported") for length in (2, 4)},
    "paper-books-deep": Quoted(826_000_000, "reported"),
    "paper-maestro": Quoted(165_600_000, "computed"),
}

# Laptop presets: float32, two cores, minutes to an hour.
_SMALL = ModelConfig(width=128, heads=4, depth=2)
_LAPTOP_ADAM = OptimizerOptions(name="adam", lr=2e-3, clip_norm=1.0, warmup_steps=100, schedule="cosine")
_STEPS = LoopOptions(steps=3000, log_every=100, evaluate_every=1000, checkpoint_every=1000)
_TEXT = ModelConfig(context_length=1024, num_latents=128, depth=3, width=96, rotary_fraction=0.5, prefix_dropout=0.3)


def _laptop(data: DataConfig, model: ModelConfig, batch_size: int, steps: int) -> ExperimentConfig:
    return ExperimentConfig(data, model, batch_size, _LAPTOP_ADAM, replace(_STEPS, steps=steps))


def _pixels(
    side: int, channels: int, vocab_size: int, *, width: int, depth: int, num_latents: int, context: int = 0
) -> ModelConfig:
    """Learned tables for column, row and channel; every value of an image and SOS in the context unless it is given."""
    return ModelConfig(
        vocab_size=vocab_size,
        context_length=context or side * side * channels + 1,
        num_latents=num_latents,
        depth=depth,
        width=width,
        positions="absolute",
        position_tables="learned",
        axes=(side + 2, side + 2, channels + 2),
    )


_LAPTOP = {
    "laptop-copy-64": Preset(
        "64 tokens mirrored, 16 symbols: copies from outside the window of the latents",
        _laptop(
            DataConfig("copy"),
            replace(_SMALL, vocab_size=19, context_length=64, num_latents=16, positions="absolute", width=64),
            64,
            1500,
        ),
    ),
    "laptop-copy-256": Preset(
        "256 tokens mirrored, 16 symbols, 64 latents",
        _laptop(
            DataConfig("copy"),
            replace(_SMALL, vocab_size=19, context_length=256, num_latents=64, positions="absolute"),
            32,
            800,
        ),
    ),
    "laptop-text": Preset(
        "bytes of novels, context 1024: the small network that ships", _laptop(DataConfig("novels"), _TEXT, 16, 5000)
    ),
    "laptop-text-pieces": Preset(
        "the same in 2048 pieces of words by SentencePiece",
        _laptop(DataConfig("novels", tokens="pieces"), replace(_TEXT, vocab_size=2051), 16, 2000),
    ),
    **{
        f"laptop-context-{length}": Preset(
            f"bytes of novels, context {length}: what a longer one is worth",
            _laptop(
                DataConfig("novels", least_inputs=length),
                replace(_SMALL, context_length=length, depth=4, rotary_fraction=0.5),
                8,
                1500,
            ),
        )
        for length in (256, 512, 1024, 2048)
    },
    "laptop-music": Preset(
        "music of two games as events, context 1024",
        _laptop(DataConfig("freedoom", transpose=6), replace(_TEXT, vocab_size=391, prefix_dropout=0.5), 16, 3000),
    ),
    "laptop-maestro": Preset(
        "piano performances as events, context 1024; needs a local copy of MAESTRO",
        _laptop(
            DataConfig("maestro"),
            replace(_TEXT, vocab_size=391, num_latents=256, width=192, prefix_dropout=0.5),
            8,
            3000,
        ),
    ),
    "laptop-images": Preset(
        "crops of two photographs, 16 x 16 pixels in colour",
        _laptop(DataConfig("photos"), _pixels(16, 3, 259, width=128, depth=4, num_latents=256), 8, 2000),
    ),
    "laptop-digits": Preset(
        "handwritten digits, 8 x 8 pixels in 17 levels",
        _laptop(DataConfig("digits"), _pixels(8, 1, 20, width=64, depth=2, num_latents=32), 64, 1000),
    ),
}

PRESETS = {
    **_PAPER,
    **_LAPTOP,
    "smoke": Preset(
        "16 tokens mirrored, a few steps of a tiny model",
        replace(
            _laptop(
                DataConfig("copy"),
                ModelConfig(
                    vocab_size=7, context_length=16, num_latents=8, depth=1, width=32, heads=2, positions="absolute"
                ),
                32,
                200,
            ),
            loop=LoopOptions(steps=200, log_every=50, checkpoint_every=100),
        ),
    ),
    "smoke-text": Preset(
        "bytes of novels, a few steps of a tiny model",
        replace(
            _laptop(
                DataConfig("novels"),
                replace(_TEXT, context_length=64, num_latents=32, depth=1, width=32, heads=2),
                8,
                40,
            ),
            loop=LoopOptions(steps=40, log_every=20, checkpoint_every=20),
        ),
    ),
}
ALIASES = {"laptop": "laptop-copy-64"}
