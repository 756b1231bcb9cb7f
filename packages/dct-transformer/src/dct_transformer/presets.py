"""Named configurations: data, no code."""

from dataclasses import replace
from pathlib import Path

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from dct_transformer.config import BaselineConfig, ChunkConfig, CodecConfig, DataConfig, ExperimentConfig, ModelConfig

_IMAGES = DataConfig("images", Path("images"), zoom=1.0)

# The paper states 448 million parameters for LSUN. This layout of layers is ours and has about as many.
_PAPER_MODEL = ModelConfig(
    height=384,
    width=384,
    codec=CodecConfig(block=8, quality=75),
    chunk=ChunkConfig(896, 128),
    dim=896,
    heads=14,
    encoder=(2, 2, 2, 2),
    channel_decoder=(2, 2, 2, 4),
    position_decoder=(2, 2, 2, 2, 2, 5),
    value_decoder=(2, 2, 2, 2, 2, 7),
)

_PAPER_ADAM = OptimizerOptions(name="adam", lr=5e-4, warmup_steps=1000, schedule="cosine", clip_norm=1.0)

_PAPER = ExperimentConfig(
    _IMAGES,
    _PAPER_MODEL,
    batch_size=512,
    optimizer=_PAPER_ADAM,
    loop=LoopOptions(steps=654_000, log_every=100, evaluate_every=10_000, checkpoint_every=2000),
)

_UNSURE = (
    "model.encoder",
    "model.channel_decoder",
    "model.position_decoder",
    "model.value_decoder",
    "model.dim",
    "model.heads",
    "model.codec",
    "model.chunk",
    "model.dropout",
    "model.stride",
    "optimizer",
    "batch_size",
    "loop.steps",
)

# Chunks are shorter than most lists, so that overlap and the encoder's prefix matter.
_LAPTOP_MODEL = ModelConfig(classes=15)

_TINY_MODEL = replace(
    _LAPTOP_MODEL,
    chunk=ChunkConfig(32, 8),
    dim=32,
    heads=2,
    encoder=(1,),
    channel_decoder=(1,),
    position_decoder=(1,),
    value_decoder=(1,),
)

PRESETS = {
    "paper-lsun": Preset("LSUN, long side 384, 448 million parameters", _PAPER, unsure=_UNSURE),
    "paper-ffhq": Preset(
        "faces of FFHQ at 256 x 256; the size of the network is not known",
        replace(_PAPER, model=replace(_PAPER_MODEL, height=256, width=256)),
        unsure=_UNSURE,
    ),
    "paper-imagenet": Preset(
        "class-conditional ImageNet at 256 x 256; the layout of the network is not known",
        replace(_PAPER, model=replace(_PAPER_MODEL, height=256, width=256, classes=1000, dim=1152, heads=16)),
        unsure=_UNSURE,
    ),
    "paper-openimages": Preset(
        "OpenImages at 1024 x 1024 in blocks of 16, encoder tokens of 2 x 2 blocks; sizes are not known",
        replace(
            _PAPER,
            model=replace(_PAPER_MODEL, height=1024, width=1024, stride=2, codec=CodecConfig(block=16, quality=75)),
        ),
        unsure=_UNSURE,
    ),
    "laptop-16": Preset(
        "stamps of 16 x 16 pixels in blocks of 4, by class", ExperimentConfig(model=_LAPTOP_MODEL)
    ),
    "laptop-32": Preset(
        "stamps of 32 x 32 pixels in blocks of 8, by class",
        ExperimentConfig(
            model=replace(
                _LAPTOP_MODEL, height=32, width=32, codec=CodecConfig(), chunk=ChunkConfig(192, 32), dim=128,
                value_decoder=(1, 2, 2),
            ),
            loop=LoopOptions(steps=6000, log_every=50, evaluate_every=1000, checkpoint_every=500),
        ),
    ),
    "laptop-64": Preset(
        "stamps of 64 x 64 pixels in blocks of 8, by class; for a GPU",
        ExperimentConfig(
            model=replace(
                _LAPTOP_MODEL, height=64, width=64, codec=CodecConfig(), chunk=ChunkConfig(384, 64), dim=192, heads=6,
                encoder=(2,), channel_decoder=(2,), position_decoder=(1, 2), value_decoder=(2, 2, 2),
            ),
            loop=LoopOptions(steps=20_000, log_every=50, evaluate_every=2000, checkpoint_every=500),
        ),
    ),
    "laptop-16-colorize": Preset(
        "chroma of stamps, given their luma (colourisation)",
        ExperimentConfig(model=replace(_LAPTOP_MODEL, condition="luma")),
    ),
    "laptop-16-upscale": Preset(
        "stamps, given a version at a quarter of the resolution (super-resolution)",
        ExperimentConfig(model=replace(_LAPTOP_MODEL, condition="low-resolution")),
    ),
    "smoke": Preset(
        "a few steps of a tiny network",
        ExperimentConfig(
            model=_TINY_MODEL,
            batch_size=8,
            optimizer=OptimizerOptions(name="adam", lr=3e-3, clip_norm=1.0, warmup_steps=5, schedule="cosine"),
            loop=LoopOptions(steps=40, log_every=10, evaluate_every=20, checkpoint_every=20),
        ),
    ),
    "baseline-pixels": Preset(
        "baseline: a Transformer over the pixels of coded stamps of 16 x 16",
        BaselineConfig(tokens="pixels", batch_size=16),
    ),
    "baseline-jpeg-bytes": Preset(
        "baseline: a Transformer over the bytes of their JPEG files", BaselineConfig(tokens="jpeg-bytes")
    ),
    "baseline-codes": Preset(
        "baseline: a Transformer over the codes of a small autoencoder", BaselineConfig(tokens="codes")
    ),
}  # fmt: skip
ALIASES = {"laptop": "laptop-16"}
