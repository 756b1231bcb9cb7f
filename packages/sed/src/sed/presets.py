"""The presets: models of the paper, laptop versions of them, and one for tests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from sed.config import (
    AutoregressiveConfig,
    AutoregressiveExperiment,
    DataConfig,
    EmbeddingConfig,
    ExperimentConfig,
    MaskedConfig,
    MaskedExperiment,
    ModelConfig,
    ScheduleConfig,
)

_TEXT = DataConfig("text", Path("text"))

_PAPER_ADAM = OptimizerOptions(
    name="adam", lr=1e-4, betas=(0.9, 0.99), clip_norm=1.0, warmup_steps=10_000, ema_decay=0.9999, ema_warmup=True
)

_PAPER_LOOP = LoopOptions(steps=1_000_000, log_every=100, evaluate_every=10_000, checkpoint_every=2000)

# Sizes of the paper, appendix A and table 9: attention is wider than the network.
_SMALL_SIZE: dict[str, Any] = {"width": 896, "depth": 12, "heads": 16, "head_size": 64}
_LARGE_SIZE: dict[str, Any] = {"width": 1536, "depth": 12, "heads": 16, "head_size": 128}

_PAPER_SMALL = ModelConfig(vocab_size=32_000, length=256, cond_input="inplace", remat=True, **_SMALL_SIZE)

_PAPER_UNSURE = ("model.cond_input", "model.schedule.beta_1_mode", "spans.dropout", "optimizer")

_PAPER_EMBEDDINGS = EmbeddingConfig(weights="runs/sed/train-bert-150m")

_PAPER_S = ExperimentConfig(
    _TEXT, _PAPER_EMBEDDINGS, _PAPER_SMALL, batch_size=256, optimizer=_PAPER_ADAM, loop=_PAPER_LOOP
)

_PAPER_CAUSAL = replace(_TEXT, pad_fraction=0.0)

_PAPER = {
    "paper-s": Preset("SED-S, 134.2 million parameters, sequences of 256", _PAPER_S, unsure=_PAPER_UNSURE),
    "paper-l": Preset(
        "SED-L, 419.1 million parameters, sequences of 256",
        replace(_PAPER_S, model=replace(_PAPER_SMALL, **_LARGE_SIZE), loop=replace(_PAPER_LOOP, steps=2_000_000)),
        unsure=_PAPER_UNSURE,
    ),
    "paper-ablate": Preset(
        "the size of SED-S with sequences of 128, for tables 5 and 7",
        replace(
            _PAPER_S,
            model=replace(_PAPER_SMALL, length=128),
            batch_size=512,
            loop=replace(_PAPER_LOOP, steps=250_000),
        ),
        unsure=(*_PAPER_UNSURE, "loop.steps"),
    ),
    "bert-150m": Preset(
        "the masked model whose embeddings the paper's models use",
        MaskedExperiment(
            _TEXT,
            MaskedConfig(vocab_size=32_000, length=256, **_SMALL_SIZE),
            batch_size=256,
            optimizer=_PAPER_ADAM,
            loop=_PAPER_LOOP,
        ),
        unsure=("model.depth", "model.heads", "model.mask_rate", "optimizer", "loop.steps"),
    ),
    **{
        f"ar-{name}": Preset(
            f"the causal baseline of the size of SED-{name.upper()}, 20 tokens a parameter",
            AutoregressiveExperiment(
                _PAPER_CAUSAL,
                AutoregressiveConfig(vocab_size=32_000, length=256, **size),
                batch_size=256,
                optimizer=replace(_PAPER_ADAM, ema_decay=0.0, ema_warmup=False),
                loop=replace(_PAPER_LOOP, steps=steps),
            ),
            unsure=("optimizer", "loop.steps"),
        )
        for name, size, steps in (("s", _SMALL_SIZE, 41_000), ("l", _LARGE_SIZE, 128_000))
    },
}

# Laptop presets: float32 on two cores.
_LAPTOP_ADAM = OptimizerOptions(
    name="adam",
    lr=2e-3,
    betas=(0.9, 0.99),
    clip_norm=1.0,
    warmup_steps=100,
    schedule="cosine",
    final_fraction=0.05,
)

_LAPTOP_AVERAGED = replace(_LAPTOP_ADAM, ema_decay=0.998, ema_warmup=True)

_LAPTOP_LOOP = LoopOptions(steps=2500, log_every=100, evaluate_every=500, checkpoint_every=500)

_LAPTOP_DATA = DataConfig()

_LAPTOP_SED = ExperimentConfig(
    _LAPTOP_DATA,
    EmbeddingConfig(),
    # On CPUs, to compute activations again takes about as long as to store them in a loop over blocks.
    ModelConfig(self_conditioning="coin", remat=True),
    batch_size=64,
    readout_positions=4,
    optimizer=_LAPTOP_AVERAGED,
    loop=replace(_LAPTOP_LOOP, steps=4500),
)

_LAPTOP = {
    "laptop": Preset("3 blocks of width 96, sequences of 32 tokens of the Bible: the network that ships", _LAPTOP_SED),
    "laptop-wide": Preset(
        "the same with 2.2 times the width",
        replace(_LAPTOP_SED, model=replace(_LAPTOP_SED.model, width=212, head_size=53)),
    ),
    "laptop-long": Preset(
        "4 blocks of width 192, sequences of 64",
        replace(
            _LAPTOP_SED,
            model=replace(_LAPTOP_SED.model, length=64, width=192, depth=4, head_size=48),
            loop=replace(_LAPTOP_LOOP, steps=6000),
        ),
    ),
    "laptop-embeddings": Preset(
        "the masked model whose 32-dimensional embeddings ship",
        MaskedExperiment(_LAPTOP_DATA, batch_size=64, optimizer=_LAPTOP_ADAM, loop=replace(_LAPTOP_LOOP, steps=1200)),
    ),
    "laptop-evaluator": Preset(
        "the causal model that evaluates samples: 4 blocks of width 128",
        AutoregressiveExperiment(batch_size=64, optimizer=_LAPTOP_ADAM, loop=replace(_LAPTOP_LOOP, steps=1500)),
    ),
    "laptop-autoregressive": Preset(
        "the causal baseline, of the size of `laptop`",
        AutoregressiveExperiment(
            model=AutoregressiveConfig(width=96, depth=3, head_size=24),
            batch_size=64,
            optimizer=_LAPTOP_ADAM,
            loop=_LAPTOP_LOOP,
        ),
    ),
}

_SMOKE_SIZE: dict[str, Any] = {"length": 16, "width": 32, "depth": 1, "heads": 2, "head_size": 16}

_SMOKE_LOOP = LoopOptions(steps=100, log_every=25, evaluate_every=50, checkpoint_every=50)

_SMOKE_ADAM = replace(_LAPTOP_ADAM, lr=5e-3, warmup_steps=10)

_SMOKE = {
    "smoke": Preset(
        "a tiny network with random embeddings, a few seconds",
        ExperimentConfig(
            _LAPTOP_DATA,
            EmbeddingConfig("random"),
            ModelConfig(embed_dim=16, schedule=ScheduleConfig(steps=100), **_SMOKE_SIZE),
            batch_size=32,
            optimizer=_SMOKE_ADAM,
            loop=_SMOKE_LOOP,
        ),
    ),
    "smoke-embeddings": Preset(
        "a tiny masked model",
        MaskedExperiment(
            _LAPTOP_DATA,
            MaskedConfig(embed_dim=16, **_SMOKE_SIZE),
            batch_size=32,
            optimizer=_SMOKE_ADAM,
            loop=_SMOKE_LOOP,
        ),
    ),
    "smoke-evaluator": Preset(
        "a tiny causal model",
        AutoregressiveExperiment(
            model=AutoregressiveConfig(**_SMOKE_SIZE), batch_size=32, optimizer=_SMOKE_ADAM, loop=_SMOKE_LOOP
        ),
    ),
}

PRESETS = {**_PAPER, **_LAPTOP, **_SMOKE}

ALIASES: dict[str, str] = {}

# Parameters of these rows by the formula of a pre-norm Transformer with the positions of Dai et al. (2019).
COMPUTED_PARAMETERS = {"paper-s": 134_205_984, "paper-l": 419_080_224}
