"""Named configurations: data, no code."""

from dataclasses import replace
from pathlib import Path

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from imagen3.config import (
    LEVEL_FEATURES,
    AutoencoderConfig,
    DataConfig,
    DenoiserConfig,
    ObjectiveConfig,
    SamplingOptions,
    SystemConfig,
    TextConfig,
    TrainingConfig,
    UpsamplerConfig,
)

_ADAM = OptimizerOptions(
    lr=1e-3,
    betas=(0.9, 0.99),
    clip_norm=1.0,
    warmup_steps=50,
    schedule="cosine",
    final_fraction=0.05,
    ema_decay=0.99,
    ema_warmup=True,
)

_LAPTOP_S = SystemConfig(
    autoencoder_training=TrainingConfig(
        32, replace(_ADAM, lr=2e-3), LoopOptions(steps=400, log_every=50, evaluate_every=200, checkpoint_every=200)
    ),
    denoiser_training=TrainingConfig(
        64,
        replace(_ADAM, ema_decay=0.995),
        LoopOptions(steps=1000, log_every=50, evaluate_every=200, checkpoint_every=200),
    ),
    data=DataConfig(categories=("Animals & Nature", "Food & Drink")),
)

_SMOKE = SystemConfig(
    autoencoder_training=TrainingConfig(16, _ADAM, LoopOptions(steps=20, log_every=10)),
    denoiser_training=TrainingConfig(32, _ADAM, LoopOptions(steps=60, log_every=20)),
    data=DataConfig(categories=("Food & Drink",), size=32),
    autoencoder=AutoencoderConfig(width=16),
    denoiser=DenoiserConfig(width=64, depth=2, heads=2),
    sampling=SamplingOptions(steps=8),
)

_SCENES = SystemConfig(
    autoencoder_training=TrainingConfig(
        16, replace(_ADAM, lr=2e-3), LoopOptions(steps=3000, log_every=100, evaluate_every=1000, checkpoint_every=500)
    ),
    denoiser_training=TrainingConfig(
        64,
        replace(_ADAM, ema_decay=0.999),
        LoopOptions(steps=16_000, log_every=200, evaluate_every=4000, checkpoint_every=2000),
    ),
    data=DataConfig("scenes", scenes=30_000, synthetic_share=0.0),
    text=TextConfig(max_tokens=16),
    # One token of the denoiser is one cell of the grid on which objects stand.
    autoencoder=AutoencoderConfig(width=24),
    denoiser=DenoiserConfig(patch=4, width=72, depth=4, heads=3),
    sampling=SamplingOptions(steps=20, guidance=2.0),
)

# The report discloses no sizes; these follow public systems of the same kind (Esser et al., 2024, section 5).
_LARGE_ADAM = OptimizerOptions(
    lr=1e-4, betas=(0.9, 0.95), clip_norm=1.0, warmup_steps=5000, ema_decay=0.9999, ema_warmup=True
)
_FOLDER = DataConfig("folder", Path("pictures"), size=256)

_GPU = SystemConfig(
    autoencoder_training=TrainingConfig(64, _LARGE_ADAM, LoopOptions(steps=100_000, evaluate_every=5000)),
    denoiser_training=TrainingConfig(256, replace(_LARGE_ADAM, lr=2e-4), LoopOptions(400_000, evaluate_every=5000)),
    data=_FOLDER,
    text=TextConfig("transformers", Path("t5-base"), max_tokens=256, dim=768),
    autoencoder=AutoencoderConfig(channels=16, width=128, factor=8, blocks=2),
    denoiser=DenoiserConfig(16, width=768, depth=12, heads=12, text_dim=768, pooled_dim=768),
    sampling=SamplingOptions(steps=28, guidance=4.5),
)

_PAPER_2B = replace(
    _GPU,
    denoiser_training=TrainingConfig(4096, _LARGE_ADAM, LoopOptions(500_000, evaluate_every=10_000)),
    text=TextConfig("transformers", Path("t5-xxl"), max_tokens=512, dim=4096),
    denoiser=DenoiserConfig(16, width=1536, depth=24, heads=24, text_dim=4096, pooled_dim=4096),
)

_PAPER_8B = replace(_PAPER_2B, denoiser=replace(_PAPER_2B.denoiser, width=2432, depth=38, heads=38))

_SANA = replace(
    _PAPER_2B,
    denoiser_training=TrainingConfig(1024, _LARGE_ADAM, LoopOptions(500_000, evaluate_every=10_000)),
    data=replace(_FOLDER, size=1024),
    text=TextConfig("transformers", Path("gemma-2-2b"), max_tokens=300, dim=2304),
    autoencoder=AutoencoderConfig(channels=32, width=128, factor=32, blocks=2),
    denoiser=DenoiserConfig(
        32,
        patch=1,
        width=2240,
        depth=20,
        heads=70,
        text_dim=2304,
        pooled_dim=2304,
        kind="linear-dit",
        positions="none",
        cross_heads=20,
    ),
    sampling=SamplingOptions(steps=20, guidance=4.5, shift=3.0),
)

_SR_LAPTOP = UpsamplerConfig(
    DenoiserConfig(24, width=64, depth=2, heads=4, pooled_dim=128 + LEVEL_FEATURES, output_channels=12),
    TrainingConfig(
        8,
        replace(_ADAM, lr=2e-3, ema_decay=0.998),
        LoopOptions(2500, log_every=100, evaluate_every=500, checkpoint_every=500),
    ),
    # One step from noise gives the mean of what the small picture allows, of which high levels are learned most.
    objective=ObjectiveConfig("edm", sigma_data=1.0, location=2.0),
    steps=1,
)
_SR_SMOKE = replace(
    _SR_LAPTOP,
    denoiser=replace(_SR_LAPTOP.denoiser, width=32, heads=2),
    training=TrainingConfig(8, _ADAM, LoopOptions(steps=20, log_every=10)),
    data=DataConfig(categories=("Food & Drink",), size=32),
    steps=4,
)
_SR_2X = UpsamplerConfig(
    DenoiserConfig(
        384, width=768, depth=16, heads=12, text_dim=4096, pooled_dim=4096 + LEVEL_FEATURES, output_channels=192
    ),
    TrainingConfig(256, _LARGE_ADAM, LoopOptions(200_000, evaluate_every=5000)),
    system="paper-2b",
    data=replace(_FOLDER, size=1024),
    fold=8,
    degraded_share=0.5,
    steps=28,
)

_UNSURE = ("autoencoder", "denoiser", "text", "objective", "denoiser_training", "sampling")

PRESETS = {
    "laptop-s": Preset("food, animals and plants at 64 x 64 pixels, 3.5 million parameters: what ships", _LAPTOP_S),
    "scenes": Preset(
        "one to ten emoji on a plain colour by their number, 0.9 million parameters, for claims C5 to C7", _SCENES
    ),
    "gpu1": Preset("256 x 256 pixels on one to eight GPUs, your pictures and T5-base", _GPU, unsure=_UNSURE),
    "paper-2b": Preset("2 billion parameters at 256 x 256 pixels", _PAPER_2B, unsure=_UNSURE),
    "paper-8b": Preset("8 billion parameters at 256 x 256 pixels", _PAPER_8B, unsure=_UNSURE),
    "sana-like": Preset("1.6 billion parameters with linear attention at 1024 x 1024 pixels", _SANA, unsure=_UNSURE),
    "sr-2x": Preset("doubles the pictures of a system like paper-2b", _SR_2X, unsure=("denoiser", "training")),
    "sr-laptop": Preset("doubles the pictures of what ships: the upsampler that ships", _SR_LAPTOP),
    "sr-smoke": Preset("a small upsampler and few steps", _SR_SMOKE),
    "smoke": Preset("small networks and few steps", _SMOKE),
}
ALIASES = {"laptop": "laptop-s"}
