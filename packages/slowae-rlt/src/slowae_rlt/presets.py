"""The presets: the paper's operating points, the one that ships, and smaller ones for experiments."""

from dataclasses import replace
from pathlib import Path

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from slowae_rlt.config import (
    LANGUAGES,
    CodebookConfig,
    ControllerConfig,
    DataConfig,
    DecoderConfig,
    EncoderConfig,
    ExperimentConfig,
    MelConfig,
    ModelConfig,
    QuantizerConfig,
    RunLengthConfig,
    RunLengthExperiment,
    SlownessConfig,
    VectorQuantizedConfig,
    VectorQuantizedExperiment,
    WaveformConfig,
)

_LAPTOP = ExperimentConfig(
    batch_size=8,
    optimizer=OptimizerOptions(
        name="adam", lr=2e-3, betas=(0.9, 0.99), clip_norm=1.0, warmup_steps=100, schedule="cosine",
        final_fraction=0.05, ema_decay=0.99, ema_warmup=True,
    ),
    slowness=SlownessConfig(controller=ControllerConfig(initial=1e-2, step=1e-2)),
    loop=LoopOptions(steps=1500, log_every=50, evaluate_every=500, checkpoint_every=500),
)  # fmt: skip

_SMOKE = replace(
    _LAPTOP,
    data=DataConfig(crop_seconds=0.256),
    model=ModelConfig(
        encoder=EncoderConfig(width=16, dilations=(1, 2)),
        decoder=DecoderConfig(width=16, dilations=(1, 2), frame_dilations=(1,)),
    ),
    batch_size=4,
    loop=LoopOptions(steps=60, log_every=20, evaluate_every=0, checkpoint_every=30),
)

_LAPTOP_16K = replace(
    _LAPTOP,
    data=DataConfig("audio", Path("audio")),
    model=ModelConfig(
        sample_rate=16_000, encoder=EncoderConfig(strides=(2,) * 5), decoder=DecoderConfig(mel=MelConfig(64, 128, 512))
    ),
)

# Short crops: on a CPU the memory of activations at every sample is what takes time.
_LAPTOP_WAVEFORM = replace(
    _LAPTOP,
    data=DataConfig(crop_seconds=0.256),
    model=ModelConfig(decoder=DecoderConfig("waveform", width=64)),
    loop=LoopOptions(steps=1200, log_every=50, evaluate_every=300, checkpoint_every=300),
)

_SMOKE_WAVEFORM = replace(
    _SMOKE,
    model=replace(
        _SMOKE.model,
        decoder=DecoderConfig(
            "waveform", width=16, dilations=(1, 2), waveform=WaveformConfig(8, 16, dilations=(1, 2, 4, 8))
        ),
    ),
)

_LAPTOP_VQ = VectorQuantizedExperiment(batch_size=8, optimizer=_LAPTOP.optimizer, loop=_LAPTOP.loop)

_SMOKE_VQ = VectorQuantizedExperiment(
    data=DataConfig(crop_seconds=0.256),
    model=VectorQuantizedConfig(
        encoder=_SMOKE.model.encoder, decoder=_SMOKE.model.decoder, codebook=CodebookConfig(codes=32, dim=8)
    ),
    batch_size=4,
    optimizer=_LAPTOP.optimizer,
    loop=_SMOKE.loop,
)

# The operating point of the paper: sample rate, grid, channels, levels and target are stated or measured from the
# published audio; networks and training are ours.
_PAPER = ExperimentConfig(
    data=DataConfig("audio", Path("audio")),
    model=ModelConfig(
        sample_rate=24_000,
        quantizer=QuantizerConfig(channels=4, levels=7),
        encoder=EncoderConfig("waveform", strides=(2, 2, 2, 2, 3), width=512, dilations=(1, 2, 4, 8, 16) * 2),
        decoder=DecoderConfig(
            "waveform",
            width=512,
            dilations=(1, 2, 4, 8, 16) * 2,
            mel=MelConfig(80, 192, 768),
            waveform=WaveformConfig(512, 256, tuple(2**power for power in range(10)) * 3),
        ),
    ),
    slowness=SlownessConfig("group", controller=ControllerConfig(target_rate=75.0, initial=1.0, step=1e-3)),
    batch_size=128,
    optimizer=OptimizerOptions(name="adam", lr=2e-4, clip_norm=1.0, ema_decay=0.9999),
    loop=LoopOptions(steps=500_000, log_every=100, evaluate_every=10_000, checkpoint_every=5000),
)

_UNSURE = (
    "model.quantizer.margin",
    "model.quantizer.bound",
    "model.encoder",
    "model.decoder",
    "model.max_length",
    "slowness.controller",
    "batch_size",
    "optimizer",
    "loop.steps",
)

_PAPER_VQ = VectorQuantizedExperiment(
    data=DataConfig("audio", Path("audio"), crop_seconds=1.024),
    model=VectorQuantizedConfig(
        24_000, _PAPER.model.encoder, _PAPER.model.decoder, CodebookConfig(codes=2048, dim=128)
    ),
    batch_size=_PAPER.batch_size,
    optimizer=_PAPER.optimizer,
    loop=_PAPER.loop,
)

_LAPTOP_RLT = RunLengthExperiment(
    data=DataConfig(languages=LANGUAGES),
    model=RunLengthConfig(dropout=0.3),
    optimizer=OptimizerOptions(
        name="adamw",
        lr=2e-3,
        betas=(0.9, 0.99),
        clip_norm=1.0,
        weight_decay=0.05,
        decay="matrices",
        warmup_steps=50,
        schedule="cosine",
        final_fraction=0.05,
        ema_decay=0.99,
        ema_warmup=True,
    ),
    loop=LoopOptions(steps=350, log_every=50, evaluate_every=50, checkpoint_every=350),
)

PRESETS = {
    "paper-75hz": Preset(
        "24 kHz, a grid of 500 Hz, 4 channels of 15 levels, 75 events a second", _PAPER, unsure=_UNSURE
    ),
    **{
        f"paper-{target}hz": Preset(
            f"the same with {target} events a second",
            replace(
                _PAPER,
                slowness=replace(
                    _PAPER.slowness, controller=replace(_PAPER.slowness.controller, target_rate=float(target))
                ),
            ),
            unsure=_UNSURE,
        )
        for target in (35, 45, 55, 65, 85, 95, 105, 115)
    },
    **{
        f"paper-rlt-{name}": Preset(
            f"a run-length Transformer of {size} parameters, sequences of 512 events",
            RunLengthExperiment(
                codec="runs/slowae-rlt/train-paper-75hz",
                data=DataConfig("audio", Path("audio")),
                model=RunLengthConfig(length=512, width=width, depth=depth, heads=heads),
                batch_size=512,
                optimizer=OptimizerOptions(
                    name="adamw", lr=2e-4, clip_norm=1.0, warmup_steps=5000, schedule="cosine", decay="matrices"
                ),
                loop=LoopOptions(steps=100_000, log_every=100, evaluate_every=2000, checkpoint_every=2000),
            ),
            unsure=(
                "model.width",
                "model.depth",
                "model.heads",
                "model.dropout",
                "batch_size",
                "optimizer",
                "loop.steps",
            ),
        )
        for name, size, width, depth, heads in (
            ("1b", "1.0 billion", 1856, 24, 16),
            ("2400m", "2.4 billion", 2560, 30, 20),
        )
    },
    "laptop-rlt": Preset(
        "a run-length Transformer of the events of `laptop`, in five languages: the language model that ships",
        _LAPTOP_RLT,
    ),
    "laptop-rlt-languages": Preset(
        "the same, conditioned on the language",
        replace(_LAPTOP_RLT, model=replace(_LAPTOP_RLT.model, conditions=LANGUAGES)),
    ),
    "smoke-rlt": Preset(
        "a few steps of a tiny run-length Transformer of the events of band energies",
        RunLengthExperiment(
            codec="identity",
            model=RunLengthConfig(length=32, width=32, depth=1, heads=2),
            batch_size=4,
            optimizer=OptimizerOptions(name="adamw", lr=5e-3, clip_norm=1.0),
            loop=LoopOptions(steps=40, log_every=20, evaluate_every=0, checkpoint_every=20),
        ),
    ),
    "laptop": Preset("log-mel inputs and outputs at 8 kHz, 75 events a second: the model that ships", _LAPTOP),
    "laptop-16k": Preset("the same at 16 kHz, of your recordings", _LAPTOP_16K),
    "smoke": Preset("a few steps of a tiny model", _SMOKE),
    "laptop-waveform": Preset("the same with an autoregressive decoder of mu-law codes", _LAPTOP_WAVEFORM),
    "laptop-vq": Preset("a VQ-VAE of the networks of `laptop`: 62.5 codes of 9 bits a second", _LAPTOP_VQ),
    "smoke-vq": Preset("a few steps of a tiny VQ-VAE", _SMOKE_VQ),
    "paper-vq625": Preset(
        "the VQ-VAE of the paper's comparison: 24 kHz, 62.5 codes a second",
        _PAPER_VQ,
        unsure=("model.codebook", "model.encoder", "model.decoder", "batch_size", "optimizer", "loop.steps"),
    ),
    "smoke-waveform": Preset("a few steps of a tiny model with an autoregressive decoder", _SMOKE_WAVEFORM),
}

ALIASES: dict[str, str] = {}
