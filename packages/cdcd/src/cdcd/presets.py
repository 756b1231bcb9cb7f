"""The presets: rows of the paper's tables, laptop versions of them, and the sizes that a formula gives."""

from dataclasses import replace
from pathlib import Path

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from cdcd.config import (
    LETTERS,
    AutoregressiveConfig,
    AutoregressiveExperiment,
    CausalTranslationConfig,
    CausalTranslationExperiment,
    DataConfig,
    ExperimentConfig,
    MaskConfig,
    ModelConfig,
    PairsConfig,
    TranslationConfig,
    TranslationExperiment,
    WarpConfig,
)

_TEXT = DataConfig("text", Path("text"))

# Tables 1 and 2 of the paper.
_BASE = ModelConfig(
    vocab_size=32_000, length=64, embed_dim=256, width=1024, depth=8, heads=8, logits_chunk=8192, remat=True
)

_PAPER_ADAM = OptimizerOptions(name="adam", lr=1e-4, betas=(0.9, 0.99))

_PAPER_LOOP = LoopOptions(steps=1_000_000, log_every=100, evaluate_every=10_000, checkpoint_every=2000)

_MIXED = MaskConfig()

_UNSURE = ("model.heads", "model.warp.floor", "model.warp.ema_decay", "model.warp.lr_factor")


def _base(summary: str, *, mask: MaskConfig = _MIXED, **changes: object) -> Preset:
    model = replace(_BASE, **changes)  # type: ignore[arg-type]
    config = ExperimentConfig(_TEXT, model, mask, batch_size=1024, optimizer=_PAPER_ADAM, loop=_PAPER_LOOP)
    return Preset(summary, config, unsure=_UNSURE)


def _warped(summary: str, **changes: object) -> Preset:
    return _base(summary, warp=replace(_BASE.warp, **changes))  # type: ignore[arg-type]


_PAPER = {
    "paper-base": _base("the base model, 147 million parameters, sequences of 64 tokens"),
    "paper-no-warping": _warped("no time warping in training", enabled=False),
    "paper-no-self-conditioning": _base("no self-conditioning", self_conditioning=False),
    **{
        f"paper-embedding-scale-{scale:g}": _base(f"initial embeddings of scale {scale:g}", embed_scale=scale)
        for scale in (1e-4, 1e-2, 0.1, 1.0)
    },
    **{
        f"paper-embedding-{width}": _base(
            f"embeddings of {width} channels, t_min 0.1", embed_dim=width, warp=replace(_BASE.warp, t_min=0.1)
        )
        for width in (16, 32, 64, 128, 256, 512, 1024)
    },
    "paper-mask-prefix-32": _base("the first half is given", mask=MaskConfig("fixed-prefix", prefix=32)),
    "paper-mask-prefix": _base("prefixes of any length are given", mask=MaskConfig("prefix")),
    "paper-mask-random": _base("any tokens are given", mask=MaskConfig("random")),
    **{
        f"paper-mask-{100 * share:.0f}-prefix": _base(
            f"prefixes with probability {share}", mask=MaskConfig(prefix_share=share)
        )
        for share in (0.2, 0.8)
    },
    "paper-renormalize": _base("renormalised predictions", renormalize=True),
    "paper-clamp": _base("clamped predictions", clamp=True),
    "paper-renormalize-clamp": _base("renormalised and clamped predictions", renormalize=True, clamp=True),
    **{
        f"paper-warp-temperature-{value:g}": _warped(f"warping of temperature {value:g}", temperature=value)
        for value in (0.5, 0.8, 1.2, 2.0, 5.0, 10.0, 100.0)
    },
    **{
        f"paper-warp-uniformity-{value:g}": _warped(f"warping of uniformity {value:g}", uniformity=value)
        for value in (0.1, 0.2, 0.5, 1.0)
    },
    **{
        f"paper-warp-beta-{a:g}-{b:g}": _warped(f"loss follows the Beta({a:g}, {b:g}) function", target=(a, b))
        for a in (0.5, 1.0, 2.0)
        for b in (0.5, 1.0, 2.0)
        if (a, b) != (1.0, 1.0)
    },
    "paper-1.3b": Preset(
        "1.3 billion parameters, sequences of 256 tokens of C4",
        ExperimentConfig(
            _TEXT,
            replace(_BASE, length=256, width=2048, depth=24, heads=16),
            batch_size=2048,
            optimizer=_PAPER_ADAM,
            loop=replace(_PAPER_LOOP, steps=600_000),
        ),
        unsure=("model.vocab_size", *_UNSURE[1:]),
    ),
    "paper-1.3b-autoregressive": Preset(
        "the causal baseline of 1.3 billion parameters, sequences of 2048 tokens of C4",
        AutoregressiveExperiment(
            replace(_TEXT, part="train"),
            AutoregressiveConfig(vocab_size=32_000, length=2048, width=2048, depth=24, heads=16),
            batch_size=256,
            optimizer=_PAPER_ADAM,
            loop=replace(_PAPER_LOOP, steps=600_000),
        ),
        unsure=("model.vocab_size", "optimizer"),
    ),
}

# Table 4 of the paper, sizes of Vaswani et al. (2017); languages, and names of the validation and test parts.
_LANGUAGES = {
    "en-de": ("en", "de", "newstest2013", "newstest2014"),
    "de-en": ("de", "en", "newstest2013", "newstest2014"),
    "zh-en": ("zh", "en", "newstest2019", "newstest2020"),
}

_MT_SIZES = {"base": (512, 8, 512), "big": (1024, 16, 1024)}

_MT_UNSURE = (
    "model.encoder_depth",
    "model.depth",
    "model.width",
    "model.heads",
    "model.source_length",
    "data.validation",
    "dropout",
    *_UNSURE[1:],
)


def _translation(languages: str, size: str) -> Preset:
    width, heads, batch_size = _MT_SIZES[size]
    model = TranslationConfig(
        vocab_size=32_768, source_length=160, length=160, embed_dim=256, width=width, encoder_depth=6, depth=6,
        heads=heads, logits_chunk=8192, remat=True,
    )  # fmt: skip
    data = PairsConfig("pairs", Path("wmt"), *_LANGUAGES[languages])
    return Preset(
        f"translation {languages}, {size} size",
        TranslationExperiment(
            data, model, batch_size=batch_size, optimizer=_PAPER_ADAM, loop=replace(_PAPER_LOOP, steps=2_000_000)
        ),
        unsure=_MT_UNSURE,
    )


def _causal_translation(languages: str, size: str) -> Preset:
    width, heads, batch_size = _MT_SIZES[size]
    model = CausalTranslationConfig(
        vocab_size=32_768, source_length=160, length=160, width=width, encoder_depth=6, depth=6, heads=heads
    )
    adam = OptimizerOptions(
        name="adam", lr=7e-4, betas=(0.9, 0.98), epsilon=1e-9, schedule="inverse-sqrt", warmup_steps=4000
    )
    return Preset(
        f"the autoregressive baseline of translation {languages}, {size} size",
        CausalTranslationExperiment(
            PairsConfig("pairs", Path("wmt"), *_LANGUAGES[languages]), model, batch_size=batch_size, optimizer=adam,
            loop=replace(_PAPER_LOOP, steps=300_000),
        ),
        unsure=("model", "optimizer", "batch_size", "loop.steps", "data.validation"),
    )  # fmt: skip


_TRANSLATION = {
    **{f"paper-mt-{size}-{languages}": _translation(languages, size) for size in _MT_SIZES for languages in _LANGUAGES},
    **{
        f"paper-mt-{size}-{languages}-autoregressive": _causal_translation(languages, size)
        for size in _MT_SIZES
        for languages in _LANGUAGES
    },
}

# Laptop presets: float32 on two cores.
_SMALL = ModelConfig(
    vocab_size=1024,
    length=32,
    embed_dim=64,
    width=128,
    depth=4,
    heads=4,
    warp=WarpConfig(t_min=0.5, t_max=50.0, initial="analytic", ema_decay=0.99, lr_factor=10.0),
)

_LAPTOP_ADAM = OptimizerOptions(
    name="adam", lr=1e-3, betas=(0.9, 0.99), clip_norm=1.0, warmup_steps=200, schedule="cosine", final_fraction=0.1
)

_LAPTOP_LOOP = LoopOptions(steps=3000, log_every=100, evaluate_every=1000, checkpoint_every=500)

_LETTERS = replace(
    _SMALL,
    vocab_size=len(LETTERS),
    length=64,
    embed_dim=16,
    warp=replace(_SMALL.warp, t_min=0.1, t_max=50.0),
)

_LAPTOP = {
    "laptop": Preset(
        "SentencePiece tokens of the speeches, sequences of 32: the network that ships",
        ExperimentConfig(DataConfig(), _SMALL, batch_size=128, optimizer=_LAPTOP_ADAM, loop=_LAPTOP_LOOP),
    ),
    "laptop-evaluator": Preset(
        "the causal model that evaluates samples, trained on other speeches",
        AutoregressiveExperiment(
            DataConfig(part="evaluator"), AutoregressiveConfig(), optimizer=_LAPTOP_ADAM, loop=_LAPTOP_LOOP
        ),
    ),
    "laptop-autoregressive": Preset(
        "the causal baseline, trained on the same speeches as the diffusion model",
        AutoregressiveExperiment(
            DataConfig(), AutoregressiveConfig(width=128, depth=5), optimizer=_LAPTOP_ADAM, loop=_LAPTOP_LOOP
        ),
    ),
    "laptop-char": Preset(
        "letters of the speeches, sequences of 64",
        ExperimentConfig(
            DataConfig(tokens="letters"), _LETTERS, batch_size=64, optimizer=_LAPTOP_ADAM, loop=_LAPTOP_LOOP
        ),
    ),
}

_LAPTOP_TRANSLATION = {
    "laptop-mt": Preset(
        "verses from English to Spanish, at most 40 tokens",
        TranslationExperiment(
            PairsConfig(), TranslationConfig(warp=_SMALL.warp), batch_size=64, optimizer=_LAPTOP_ADAM,
            loop=replace(_LAPTOP_LOOP, steps=2000, evaluate_every=1000),
        ),
    ),
    "laptop-mt-autoregressive": Preset(
        "the autoregressive baseline, trained on the same verses",
        CausalTranslationExperiment(
            PairsConfig(), CausalTranslationConfig(), batch_size=64, optimizer=replace(_LAPTOP_ADAM, betas=(0.9, 0.98)),
            loop=replace(_LAPTOP_LOOP, steps=1200, evaluate_every=600),
        ),
    ),
}  # fmt: skip

_TINY = replace(_LETTERS, length=16, width=32, depth=1, heads=2, time_width=32)

_TINY_LOOP = LoopOptions(steps=200, log_every=50, evaluate_every=100, checkpoint_every=100)

PRESETS = {
    **_PAPER,
    **_TRANSLATION,
    **_LAPTOP,
    **_LAPTOP_TRANSLATION,
    "smoke": Preset(
        "letters of the speeches, a few steps of a tiny model",
        ExperimentConfig(
            DataConfig(tokens="letters"),
            _TINY,
            batch_size=32,
            optimizer=replace(_LAPTOP_ADAM, lr=3e-3, warmup_steps=20),
            loop=_TINY_LOOP,
        ),
    ),
    "smoke-evaluator": Preset(
        "letters of other speeches, a few steps of a tiny causal model",
        AutoregressiveExperiment(
            DataConfig(tokens="letters", part="evaluator"),
            AutoregressiveConfig(vocab_size=len(LETTERS), length=16, width=32, depth=1, heads=2),
            batch_size=32,
            optimizer=replace(_LAPTOP_ADAM, lr=3e-3, warmup_steps=20),
            loop=_TINY_LOOP,
        ),
    ),
    "smoke-mt": Preset(
        "verses, a few steps of a tiny translation model",
        TranslationExperiment(
            PairsConfig(), TranslationConfig(
                vocab_size=512, source_length=40, length=40, embed_dim=16, width=32, encoder_depth=1, depth=1, heads=2,
                time_width=32, warp=_LETTERS.warp,
            ),
            batch_size=32, optimizer=replace(_LAPTOP_ADAM, lr=3e-3, warmup_steps=20), loop=_TINY_LOOP,
        ),
    ),
    "smoke-mt-autoregressive": Preset(
        "verses, a few steps of a tiny autoregressive translation model",
        CausalTranslationExperiment(
            PairsConfig(), CausalTranslationConfig(
                vocab_size=512, source_length=40, length=40, width=32, encoder_depth=1, depth=1, heads=2
            ),
            batch_size=32, optimizer=replace(_LAPTOP_ADAM, lr=3e-3, warmup_steps=20), loop=_TINY_LOOP,
        ),
    ),
}  # fmt: skip

ALIASES: dict[str, str] = {}

# Parameter counts of these rows by the formulas of a pre-norm Transformer, without the 2 N of the time warping.
COMPUTED_PARAMETERS = {"paper-base": 147_041_792, "paper-1.3b": 1_309_662_720}
