"""Named configurations: data, no code."""

from dataclasses import replace

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from hares.config import EncoderConfig, FrontEndConfig, PoolConfig, TrainConfig

# The paper gives neither these nor the projector's output width; each is a field.
UNSURE = (
    "encoder.front_end.fft",
    "encoder.front_end.low",
    "encoder.front_end.high",
    "encoder.front_end.scale",
    "encoder.front_end.area_norm",
    "encoder.front_end.power",
    "encoder.front_end.offset",
    "mix_domain",
    "projection",
    "optimizer.lr",
)
PAPER_LOSS = TrainConfig()
SMALL_FRONT_END = FrontEndConfig(mels=64)
TINY = EncoderConfig(front_end=SMALL_FRONT_END, width=32, depths=(1, 1, 2, 1), slow_group=16, fast_group=2)
STATISTICS = EncoderConfig(architecture="statistics", front_end=SMALL_FRONT_END)
LAPTOP = TrainConfig(
    encoder=TINY,
    seconds=1.0,
    projector_width=256,
    projection=128,
    batch_size=64,
    optimizer=OptimizerOptions(name="adamw", lr=2e-3, schedule="cosine", warmup_steps=25, weight_decay=1e-4),
    loop=LoopOptions(steps=250, log_every=10, checkpoint_every=50),
)
# Sizes of the paper's networks (paper, table 2).
ENCODERS = {
    "slowfast-nfnet-f0": EncoderConfig(),
    "nfnet-f0": EncoderConfig(architecture="slow-nfnet"),
    "slowfast-resnet50": EncoderConfig(architecture="slowfast-resnet50", width=64, depths=(3, 4, 6, 3)),
    "resnet50": EncoderConfig(architecture="resnet50"),
    "efficientnet-b0": EncoderConfig(architecture="efficientnet-b0"),
    "cnn14": EncoderConfig(architecture="cnn14", width=64),
    "byola-cnn": EncoderConfig(architecture="byola-cnn", width=2048),
    "vit-base": EncoderConfig(architecture="vit", width=768, depths=(3, 3, 3, 3)),
}
_SUPERVISED = replace(PAPER_LOSS, objective="supervised", batch_size=1024, loop=replace(PAPER_LOSS.loop, steps=100_000))

PRESETS = {
    "laptop-simclr": Preset("a small Slowfast NFNet by SimCLR on a folder of audio, in minutes", LAPTOP),
    "laptop-cola": Preset("the same network by COLA", replace(LAPTOP, objective="cola")),
    "laptop-cpc": Preset(
        "the same network by contrastive predictive coding of windows, without augmentation",
        replace(LAPTOP, objective="cpc", mix_domain="none"),
    ),
    "laptop-byol": Preset(
        "the same network by BYOL with the augmentations of BYOL-A", replace(LAPTOP, objective="byol")
    ),
    "laptop-supervised": Preset(
        "the same network with the folders' names as labels", replace(LAPTOP, objective="supervised")
    ),
    "smoke": Preset(
        "a few steps of a very small network on embedded clips",
        replace(
            LAPTOP,
            pool=PoolConfig("embedded"),
            projector_width=32,
            projection=16,
            batch_size=16,
            loop=LoopOptions(steps=4, log_every=2),
        ),
    ),
    **{
        f"paper-simclr-{name}": Preset(
            f"{name} by SimCLR (paper, table 7)", replace(PAPER_LOSS, encoder=encoder), unsure=UNSURE
        )
        for name, encoder in ENCODERS.items()
    },
    **{
        f"paper-supervised-{name}": Preset(
            f"{name} on labels (paper, table 6)", replace(_SUPERVISED, encoder=encoder), unsure=UNSURE
        )
        for name, encoder in ENCODERS.items()
    },
}
# Of BYOL-A (Niizumi et al., 2021): 100 epochs of AudioSet.
PRESETS["paper-byola"] = Preset(
    "the CNN of BYOL-A by BYOL-A, as its own authors train it (paper, table 4)",
    TrainConfig(
        encoder=replace(ENCODERS["byola-cnn"], front_end=replace(SMALL_FRONT_END, fft=1024, window=1024)),
        objective="byol",
        seconds=0.96,
        projection=256,
        batch_size=256,
        optimizer=OptimizerOptions(name="adam", lr=3e-4, clip_norm=0.0, ema_decay=0.0),
        loop=LoopOptions(steps=750_000, log_every=100, checkpoint_every=5000),
    ),
    unsure=UNSURE,
)
ALIASES = {"laptop": "laptop-simclr", "paper": "paper-simclr-slowfast-nfnet-f0"}
