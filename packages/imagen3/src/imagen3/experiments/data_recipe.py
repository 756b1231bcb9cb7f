"""Claims C11 and C12 in a small form: what the recipe of the data changes in short trainings of a small denoiser.

The denoiser learns latents of the autoencoder that ships. Its losses on pictures stand for what the report states of
samples: over-fitting as the advantage of copied pictures over others, and detailed prompts as the loss of held-out
pictures with their longest captions.
"""

from dataclasses import replace
from functools import cache, partial
from io import BytesIO

import numpy as np
from jaxtyping import Int, UInt8
from onepaper.claims import ClaimContext, Evidence, Measurement, Table
from onepaper.claims.evidence import ArmResult
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions
from PIL import Image
from torch import nn

from imagen3.config import DenoiserConfig, SystemConfig, TrainingConfig
from imagen3.data.pictures import Pictures, load_pictures
from imagen3.pretrained.systems import System, open_system
from imagen3.training.cache import FeatureCache, build_cache
from imagen3.training.denoiser import denoiser_loss, held_out_loss, train_denoiser

DENOISER = DenoiserConfig(width=64, depth=2, heads=2)
TRAINING = TrainingConfig(
    32, OptimizerOptions(lr=2e-3, clip_norm=1.0, warmup_steps=20, ema_decay=0.98, ema_warmup=True), LoopOptions(200)
)

# Of the pictures that are learned from, so many are there as so many copies.
COPIED, COPIES = 3, 64

# Each picture is evaluated with so many levels of noise.
REPEATS = 8


@cache
def setting() -> tuple[System, Pictures]:
    """The system that ships, and its pictures without those of other categories."""
    system = open_system()
    pictures = load_pictures(system.config.data)
    return system, pictures.subset(np.flatnonzero(pictures.selected))


def with_copies(pictures: Pictures, seed: int) -> tuple[Pictures, Int[np.ndarray, " copied"]]:
    """The pictures with copies of some, each saved as a JPEG file of another quality; and which have copies."""
    generator = np.random.default_rng(seed)
    copied = generator.choice(pictures.indices("train"), COPIED, replace=False)
    numbers = np.repeat(copied, COPIES - 1)
    qualities = generator.integers(70, 95, len(numbers))
    copies = [
        as_jpeg(pictures.pixels[number], int(quality)) for number, quality in zip(numbers, qualities, strict=True)
    ]
    whole = pictures.subset(np.concatenate([np.arange(len(pictures.pixels)), numbers]))
    return replace(whole, pixels=np.concatenate([pictures.pixels, np.stack(copies)])), copied


def as_jpeg(picture: UInt8[np.ndarray, "height width 3"], quality: int) -> UInt8[np.ndarray, "height width 3"]:
    """What remains of a picture in a JPEG file."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def losses(seed: int, *, remove: bool, synthetic_share: float) -> dict[str, float]:
    """Losses after a training with copies, which are removed or not, and with a share of synthetic captions."""
    system, pictures = setting()
    collection, copied = with_copies(pictures, seed)
    if remove:
        collection = collection.without_duplicates()
    config = small_config(system.config, synthetic_share)
    features = build_cache(system.autoencoder, system.encoder, collection)
    model, _ = train_denoiser(config, system.autoencoder, features, collection, seed=seed)
    own = build_cache(system.autoencoder, system.encoder, pictures)
    longest = longest_captions(pictures, own)

    def mean_loss(numbers: Int[np.ndarray, " some"]) -> float:
        return evaluated_loss(model, system, config, own, numbers, longest)

    learned = pictures.indices("train")
    held_out = np.concatenate([pictures.indices(part) for part in ("validation", "test")])
    return {
        "copied": mean_loss(copied),
        "others": mean_loss(np.setdiff1d(learned, copied)),
        "held out": mean_loss(held_out),
        "pictures": len(collection.pixels),
    }


def small_config(config: SystemConfig, synthetic_share: float) -> SystemConfig:
    """The configuration of the system with the small denoiser."""
    return replace(
        config,
        denoiser=DENOISER,
        denoiser_training=TRAINING,
        data=replace(config.data, synthetic_share=synthetic_share),
    )


def longest_captions(pictures: Pictures, features: FeatureCache) -> Int[np.ndarray, " pictures"]:
    """The number of the text of the longest caption of each picture."""
    longest = [max(range(len(own)), key=lambda index, own=own: len(own[index].text)) for own in pictures.captions]
    owners = features.picture.numpy()
    return np.array([np.flatnonzero(owners == number)[index] for number, index in enumerate(longest)])


def evaluated_loss(
    model: nn.Module,
    system: System,
    config: SystemConfig,
    features: FeatureCache,
    numbers: Int[np.ndarray, " some"],
    texts: Int[np.ndarray, " pictures"],
) -> float:
    """Mean loss of pictures with one text each, with the same noise for every model."""
    whole = replace(config, objective=replace(config.objective, text_dropout=0.0))
    loss = denoiser_loss(whole, system.autoencoder, features.empty)
    return held_out_loss(model, loss, features, np.tile(numbers, REPEATS), lambda chosen, _: texts[chosen])["loss"]


def arms(context: ClaimContext, name: str, *, remove: bool, synthetic_share: float) -> dict[int, ArmResult]:
    """The losses of each seed; both claims share the trainings of one name."""
    measure = partial(losses, remove=remove, synthetic_share=synthetic_share)
    return {seed: context.arm(name, seed, partial(measure, seed)) for seed in context.seeds}


def duplicates(context: ClaimContext) -> Evidence:
    """Claim C11: how much lower the loss of copied pictures is than that of others, with and without the copies."""
    kept = arms(context, "copies kept", remove=False, synthetic_share=0.5)
    removed = arms(context, "copies removed", remove=True, synthetic_share=0.5)
    rows = [(str(seed), f"{kept[seed]['pictures']:.0f}", f"{removed[seed]['pictures']:.0f}") for seed in context.seeds]
    return Evidence(
        "",
        [
            Measurement.over_seeds(name, {seed: arm["others"] - arm["copied"] for seed, arm in own.items()})
            for name, own in (("advantage of copied pictures", kept), ("advantage without copies", removed))
        ],
        [Table("Pictures", ("seed", "with copies", "without"), rows)],
    )


def caption_mixture(context: ClaimContext) -> Evidence:
    """Claim C12: the loss of held-out pictures with their longest captions, by captions of the training."""
    mixed = arms(context, "copies removed", remove=True, synthetic_share=0.5)
    original = arms(context, "original captions", remove=True, synthetic_share=0.0)
    return Evidence(
        "",
        [
            Measurement.over_seeds(name, {seed: arm["held out"] for seed, arm in own.items()})
            for name, own in (("loss, original captions", original), ("loss, mixed captions", mixed))
        ],
    )
