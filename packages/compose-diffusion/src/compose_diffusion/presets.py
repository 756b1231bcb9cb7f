"""Named configurations: the presets of the verbs, and the networks of published checkpoints."""

from collections.abc import Mapping
from dataclasses import replace

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset

from compose_diffusion.config.digits import (
    DIGITS_OPTIMIZER,
    ClassifierConfig,
    DenoiserConfig,
    DigitsConfig,
    GuidanceConfig,
)
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.config.positions import POSITIONS_OPTIMIZER, PositionNetworkConfig, PositionsConfig
from compose_diffusion.config.reuse import ReuseConfig
from compose_diffusion.config.toy import SUITE_COMPONENTS, ToyExactConfig, ToyLearnedConfig, ToyNetworkConfig

# For far fewer samples: a higher learning rate that decays to 0, and a moving average with warm-up.
LAPTOP_OPTIMIZER = OptimizerOptions(
    name="adam", lr=1e-2, betas=(0.9, 0.99), schedule="cosine", warmup_steps=50, ema_decay=0.999, ema_warmup=True
)


_OFFICIAL = ToyExactConfig()
_LAPTOP_LEARNED = ToyLearnedConfig(
    network=ToyNetworkConfig(width=48),
    fit=FitConfig(steps=4000, batch_size=128, optimizer=LAPTOP_OPTIMIZER),
)

TOY_PRESETS = {
    "paper-toy-exact": Preset("the official toy's constant steps, every open choice pinned", _OFFICIAL),
    "laptop-toy-exact": Preset(
        "the same densities; three times the moves, and HMC where the product is narrow",
        replace(
            _OFFICIAL,
            langevin=replace(_OFFICIAL.langevin, steps_per_level=30),
            hamiltonian=replace(
                _OFFICIAL.hamiltonian, step_law="sigma-power", step_scale=0.7, steps_per_level=100, first_level=10
            ),
        ),
    ),
    "paper-toy": Preset(
        "train energies of the toy's six distributions as the official notebook does", ToyLearnedConfig()
    ),
    "laptop-toy": Preset("the same six energies, narrower networks and shorter training", _LAPTOP_LEARNED),
    "paper-suite": Preset(
        "train energies of the nine-task suite's distributions, on the suite's own noise levels",
        ToyLearnedConfig(
            network=ToyNetworkConfig(schedule=ScheduleConfig("linear", num_levels=50)), components=SUITE_COMPONENTS
        ),
    ),
    "laptop-suite": Preset(
        "the suite's distributions, narrower and shorter still, on the toy's noise levels",
        replace(_LAPTOP_LEARNED, fit=replace(_LAPTOP_LEARNED.fit, steps=2000), components=SUITE_COMPONENTS),
    ),
}

POSITIONS_PRESETS = {
    "laptop-positions": Preset("train both networks of canvases, as shipped", PositionsConfig()),
    "smoke-positions": Preset(
        "train tiny networks of canvases in seconds",
        PositionsConfig(
            score=PositionNetworkConfig("score", width=8),
            energy=PositionNetworkConfig("energy", width=8),
            score_fit=FitConfig(30, 16, replace(POSITIONS_OPTIMIZER, warmup_steps=5)),
            energy_fit=FitConfig(20, 16, replace(POSITIONS_OPTIMIZER, warmup_steps=5)),
        ),
    ),
}

_COSINE = ScheduleConfig("cosine", 1000)
_MULTIPLIERS: Mapping[int, tuple[int | float, ...]] = {
    64: (1, 2, 3, 4),
    128: (1, 1, 2, 3, 4),
    256: (1, 1, 2, 2, 4, 4),
    512: (0.5, 1, 1, 2, 2, 4, 4),
}


def _openai(size: int, *, num_heads: int = 0, classes: int = 1000) -> UNetConfig:
    return UNetConfig(
        image_size=size,
        width=256,
        multipliers=_MULTIPLIERS[size],
        num_blocks=2,
        num_heads=num_heads,
        condition="class" if classes else "none",
        num_classes=classes,
        predicts_variance=True,
    )


def _openai_classifier(size: int) -> EncoderConfig:
    return EncoderConfig(image_size=size, multipliers=_MULTIPLIERS[size])


def _clevr_positions(*, predicts_variance: bool) -> UNetConfig:
    return UNetConfig(
        image_size=128,
        width=192,
        multipliers=_MULTIPLIERS[128],
        num_blocks=2,
        scale_shift_norm=False,
        dropout=0.1,
        schedule=_COSINE,
        condition="position",
        null_condition=True,
        predicts_variance=predicts_variance,
    )


CLEVR_ENERGY = UNetConfig(
    image_size=64,
    width=128,
    multipliers=_MULTIPLIERS[64],
    num_blocks=3,
    scale_shift_norm=False,
    dropout=0.1,
    schedule=_COSINE,
    condition="class",
    num_classes=3,
    null_condition=True,
    form="l2",
)

IMAGENET_128_CLASSIFIER = _openai_classifier(128)

# File name without extension -> configuration.
PUBLISHED: Mapping[str, UNetConfig | EncoderConfig] = {
    "64x64_diffusion": UNetConfig(
        width=192,
        attention_order="qkv-first",
        dropout=0.1,
        schedule=_COSINE,
        condition="class",
        num_classes=1000,
        predicts_variance=True,
    ),
    "128x128_diffusion": _openai(128, num_heads=4),
    "256x256_diffusion": _openai(256),
    "256x256_diffusion_uncond": _openai(256, classes=0),
    "512x512_diffusion": _openai(512),
    "64x64_classifier": EncoderConfig(num_blocks=4, schedule=_COSINE),
    "128x128_classifier": IMAGENET_128_CLASSIFIER,
    "256x256_classifier": _openai_classifier(256),
    "512x512_classifier": _openai_classifier(512),
    "clevr_pos": _clevr_positions(predicts_variance=False),
    "clevr_pos_variance": _clevr_positions(predicts_variance=True),
    "ebm-49x1874": CLEVR_ENERGY,
}

# 50 epochs of 1,875 steps: the published checkpoint is that of epoch 49, step 1,874, both counted from 0.
CLEVR_STEPS = 50 * 1875
PAPER_CLEVR = PaperImagesConfig(
    dataset="clevr-64",
    network=CLEVR_ENERGY,
    network_fit=FitConfig(CLEVR_STEPS, batch_size=32, optimizer=OptimizerOptions(lr=1e-4)),
    condition_dropout=0.05,
)

# The paper does not give network, steps, batch and learning rate of the denoiser, nor the classifier and its weight;
# these are those of guided-diffusion at 128 x 128 (Dhariwal and Nichol, 2021), without classes.
PAPER_IMAGENET_128 = PaperImagesConfig(
    dataset="imagenet-128",
    network=UNetConfig(image_size=128, width=256, multipliers=(1, 1, 2, 3, 4), num_blocks=2, num_heads=4, form="dae"),
    network_fit=FitConfig(4_360_000, batch_size=256, optimizer=OptimizerOptions(lr=1e-4, ema_decay=0.9999)),
    classifier=IMAGENET_128_CLASSIFIER,
    classifier_fit=FitConfig(
        300_000, batch_size=256, optimizer=OptimizerOptions(lr=3e-4, weight_decay=0.05, schedule="linear")
    ),
)

# From the paper: an energy on 64 x 64 images. The other settings are those of Imagen's base model
# (Saharia et al., 2022) where they apply: width, T5-XXL embeddings, batch, steps, learning rate, text dropout.
PAPER_TEXT_TO_IMAGE = PaperImagesConfig(
    dataset="text-to-image-64",
    network=UNetConfig(width=512, schedule=ScheduleConfig("cosine", 1000), condition="text", text_dim=4096, form="dae"),
    network_fit=FitConfig(
        2_500_000, batch_size=2048, optimizer=OptimizerOptions(lr=1e-4, warmup_steps=10_000, ema_decay=0.9999)
    ),
    condition_dropout=0.1,
)

PAPER_PRESETS: Mapping[str, Preset] = {
    "paper-clevr": Preset("energy of CLEVR objects, 64 x 64, conditioned on a shape", PAPER_CLEVR),
    "paper-imagenet128": Preset("unconditional energy of ImageNet, 128 x 128, and its classifier", PAPER_IMAGENET_128),
    "paper-text-to-image": Preset("energy of captioned images, 64 x 64, for tapestries", PAPER_TEXT_TO_IMAGE),
}

PRESETS: Mapping[str, Preset] = {
    **TOY_PRESETS,
    **POSITIONS_PRESETS,
    **PAPER_PRESETS,
    "laptop-reuse": Preset(
        "train two diffusers pipelines, each for one attribute of the digits, as shipped", ReuseConfig()
    ),
    "laptop-digits": Preset("train denoiser and classifier of the 8 x 8 digits, as shipped", DigitsConfig()),
    "laptop-guidance": Preset("classifier guidance of the digits, with and without MCMC", GuidanceConfig()),
    "smoke": Preset(
        "train tiny networks on the digits in seconds",
        DigitsConfig(
            denoiser=DenoiserConfig(width=8),
            classifier=ClassifierConfig(width=8),
            denoiser_fit=FitConfig(60, 32, replace(DIGITS_OPTIMIZER, warmup_steps=10)),
            classifier_fit=FitConfig(30, 32, replace(DIGITS_OPTIMIZER, warmup_steps=5)),
        ),
    ),
}

ALIASES: Mapping[str, str] = {"laptop": "laptop-digits"}
