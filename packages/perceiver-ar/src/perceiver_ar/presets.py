"""The presets: every row of the paper's tables, laptop versions of them, and the sizes that others report."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from perceiver_ar.config import RESERVED, DataConfig, ExperimentConfig, ModelConfig


@dataclass(frozen=True)
class ReportedParameters:
    """A parameter count reported outside this package.

    Args:
        parameters: the count; that of the official code includes fixed position tables.
        source: measured: counted by running the official code; computed: from its layout and an assumed vocabulary;
            reported: taken from the paper by its readers.
    """

    parameters: int
    source: Literal["measured", "computed", "reported"]


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


# Shared by the paper's runs (official code, experiment.py): 16 heads of 64 channels, squared ReLU, dropout 0.1.
_BASE = ModelConfig(num_latents=1024, width=1024, heads=16, dropout=0.1, remat=True)


_COPY = replace(_BASE, positions="absolute")


_PIXELS = replace(_BASE, context_length=12_289, positions="absolute", position_tables="learned", axes=(66, 66, 5))


# The usual cutoffs for Wikitext-103 (Baevski and Auli, 2019).
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


# The private books, the private performances and the SoundStream codes are replaced by folders of the user.
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


# Parameter counts of these rows from elsewhere.
REPORTED_PARAMETERS = {
    "paper-copy-32": ReportedParameters(26_810_627, "measured"),
    "paper-copy-131k": ReportedParameters(223_976_707, "measured"),
    "paper-imagenet64": ReportedParameters(770_094_339, "measured"),
    **{f"paper-wikitext103-{length}k": ReportedParameters(358_000_000, "reported") for length in (1, 2, 4, 8)},
    **{f"paper-pg19-{length}k": ReportedParameters(974_600_000, "reported") for length in (2, 4)},
    "paper-books-deep": ReportedParameters(826_000_000, "reported"),
    "paper-maestro": ReportedParameters(165_600_000, "computed"),
}


# Laptop presets: float32 on two cores, minutes to an hour.
_SMALL = ModelConfig(width=128, heads=4, depth=2)


_LAPTOP_ADAM = OptimizerOptions(name="adam", lr=2e-3, clip_norm=1.0, warmup_steps=100, schedule="cosine")


_STEPS = LoopOptions(steps=3000, log_every=100, evaluate_every=1000, checkpoint_every=1000)


_TEXT = ModelConfig(context_length=1024, num_latents=128, depth=3, width=96, rotary_fraction=0.5, prefix_dropout=0.3)


def _laptop(data: DataConfig, model: ModelConfig, batch_size: int, steps: int) -> ExperimentConfig:
    return ExperimentConfig(data, model, batch_size, _LAPTOP_ADAM, replace(_STEPS, steps=steps))


def _pixels(
    side: int, channels: int, vocab_size: int, *, width: int, depth: int, num_latents: int, context: int = 0
) -> ModelConfig:
    """A model of images with learned tables for column, row and channel; `context` 0 holds SOS and all values."""
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
        "bytes of novels, context 1024: the small network that ships",
        _laptop(DataConfig("novels"), _TEXT, 16, 5000),
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
