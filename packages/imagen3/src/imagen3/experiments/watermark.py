"""Claim C17: the watermark after what happens to pictures in use, and on pictures without it."""

from functools import cache, partial

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table
from PIL import Image
from scipy.stats import binom

from imagen3.data.emoji import emoji, emoji_pictures
from imagen3.models.autoencoder import Autoencoder
from imagen3.pretrained.systems import open_system
from imagen3.responsibility.attacks import ATTACKS, Attack
from imagen3.responsibility.registration import detect
from imagen3.responsibility.watermark import (
    DECIDED,
    FLAT,
    FRAME,
    LUMA,
    REGISTERED,
    Picture,
    chips,
    embed,
    marked_coefficients,
    peak_ratio,
)
from imagen3.sampling import generate
from imagen3.training.autoencoder import encode_all

# Pictures that the system draws, as files of this size; prompts are names of other pictures for each seed.
PICTURES, SCALE = 16, 4
RATES = (1e-3, 1e-6)
REGENERATED = "through the autoencoder"

# Keys that are tried on all emoji.
KEYS = 2000


def drawn_pictures(seed: int) -> list[Picture]:
    """Pictures of the system that ships, as `sample` writes them."""
    system = open_system()
    concepts = [concept.name for concept in emoji() if concept.category in system.config.data.categories]
    prompts = np.random.default_rng([seed, 17]).choice(concepts, PICTURES, replace=False)
    drawn = generate(system, [str(prompt) for prompt in prompts], seed=seed)
    return list(drawn.repeat(SCALE, axis=1).repeat(SCALE, axis=2))


def regenerated(picture: Picture, generator: np.random.Generator, *, autoencoder: Autoencoder, size: int) -> Picture:
    """A picture that an autoencoder encoded at its own size and decoded, at the old size."""
    small = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))
    decoded = autoencoder.decode(encode_all(autoencoder, small[None]).mean.to(autoencoder.scale.device))
    values = (127.5 * (decoded[0] + 1)).round().clamp(0, 255).permute(1, 2, 0).numpy().astype(np.uint8)
    return np.asarray(Image.fromarray(values).resize(picture.shape[1::-1], Image.Resampling.BICUBIC))


@cache
def attacks() -> dict[str, Attack]:
    """All attacks by name; the last one needs the autoencoder that ships."""
    system = open_system()
    last = partial(regenerated, autoencoder=system.autoencoder, size=system.config.data.size)
    return {**ATTACKS, REGENERATED: last}


def survival(seed: int) -> dict[str, dict[str, float]]:
    """For each attack: shares of marked pictures that are detected, whose payload is read, and the peak ratio."""
    generator = np.random.default_rng(seed)
    key, payload = f"key {seed}".encode(), int(generator.integers(2**32))
    pictures = drawn_pictures(seed)
    marked = [embed(picture, key, payload) for picture in pictures]
    found: dict[str, dict[str, float]] = {}
    for name, attack in attacks().items():
        after = [np.ascontiguousarray(attack(picture, generator)) for picture in marked]
        results = [detect(picture, key)[0] for picture in after]
        same = [(one, other) for one, other in zip(pictures, after, strict=True) if one.shape == other.shape]
        found[name] = {
            **{f"{rate:g}": float(np.mean([one.p_value <= rate for one in results])) for rate in RATES},
            "payload": float(np.mean([one.payload == payload for one in results])),
            "ratio": float(np.mean([min(peak_ratio(*pair), 99.0) for pair in same])) if same else np.nan,
        }
    return found


@cache
def unmarked_signs() -> np.ndarray:
    """Signs of the coefficients of all emoji, [pictures, chips]; 0 where there is no structure."""
    found = []
    for picture in emoji_pictures():
        large = np.asarray(Image.fromarray(picture).resize((FRAME, FRAME), Image.Resampling.BICUBIC))
        values = marked_coefficients(large @ LUMA)
        found.append(np.sign(values) * (np.abs(values) > FLAT))
    return np.array(found, np.float32)


def false_positives(seed: int) -> dict[str, float]:
    """Shares of pairs of an unmarked emoji and a key that are taken for marked, without a search for crops."""
    signs, counts = unmarked_signs(), dict.fromkeys(RATES, 0)
    for number in range(KEYS):
        order, drawn = chips(f"unmarked {seed} {number}".encode())
        decides = signs[:, order[REGISTERED:DECIDED]]
        seen = np.abs(decides).sum(1)
        p_values = binom.sf((decides @ drawn[REGISTERED:DECIDED].astype(np.float32) + seen) / 2 - 1, seen, 0.5)
        for rate in RATES:
            counts[rate] += int((p_values <= rate).sum())
    return {f"{rate:g}": count / (KEYS * len(signs)) for rate, count in counts.items()}


def watermark(context: ClaimContext) -> Evidence:
    """True positives after each attack, and false positives."""
    rows = {seed: context.arm("watermark after attacks", seed, partial(survival, seed)) for seed in context.seeds}
    wrong = {seed: context.arm("unmarked pictures", seed, partial(false_positives, seed)) for seed in context.seeds}
    names = list(rows[context.seeds[0]])
    others = [name for name in names if name != REGENERATED]

    def mean(name: str, column: str) -> float:
        return float(np.mean([own[name][column] for own in rows.values()]))

    shares = [*map("{:g}".format, RATES), "payload"]
    table = Table(
        f"{PICTURES * len(rows)} marked pictures after each attack",
        ("attack", *(f"found at {rate:g}" for rate in RATES), "payload read", "peak ratio, dB"),
        [(name, *(f"{mean(name, own):.0%}" for own in shares), f"{mean(name, 'ratio'):.1f}") for name in names],
    )
    unmarked = Table(
        f"Unmarked pictures: {len(unmarked_signs()):,} emoji with {KEYS * len(wrong):,} keys",
        ("requested rate", "measured"),
        [(key, f"{np.mean([own[key] for own in wrong.values()]):.2g}") for key in shares[:-1]],
    )
    pictures = drawn_pictures(context.seeds[0])[:4]
    shown = np.stack([*pictures, *(embed(picture, b"shown") for picture in pictures)])
    found = {seed: float(np.mean([own[name]["1e-06"] for name in others])) for seed, own in rows.items()}
    return Evidence(
        "",
        [
            Measurement.over_seeds("found at 1e-6, mean over attacks", found),
            Measurement.over_seeds("peak ratio", {seed: own["none"]["ratio"] for seed, own in rows.items()}, "dB"),
            Measurement.over_seeds("false positives at 1e-3", {seed: own["0.001"] for seed, own in wrong.items()}),
            Measurement.over_seeds(
                "found through the autoencoder", {seed: own[REGENERATED]["1e-06"] for seed, own in rows.items()}
            ),
        ],
        [table, unmarked, ImageGrid("Without (above) and with the mark", shown / 255, columns=4)],
    )
