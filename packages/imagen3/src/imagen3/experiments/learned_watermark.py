"""Claim X2: the learned watermark beside the classical one, after the same attacks on the same pictures."""

from functools import cache, partial

import numpy as np
import torch
from jaxtyping import Int
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table

from imagen3.data.emoji import emoji_pictures
from imagen3.experiments.watermark import RATES, REGENERATED, attacks, drawn_pictures, survival
from imagen3.responsibility.learned_mark import (
    SIGNS,
    detect_learned,
    embed_learned,
    key_signs,
    placed,
    placements,
    shipped_mark,
    small,
)
from imagen3.responsibility.watermark import least_matches, peak_ratio

# Unmarked pictures, evenly spaced over all emoji, and keys that are tried on each.
UNMARKED, KEYS = 200, 5000


def learned_survival(seed: int) -> dict[str, dict[str, float]]:
    """For each attack: shares of marked pictures that are detected; `none` also has the peak ratio."""
    generator, key = np.random.default_rng(seed), f"key {seed}".encode()
    pictures = drawn_pictures(seed)
    marked = [embed_learned(picture, key) for picture in pictures]
    found: dict[str, dict[str, float]] = {}
    for name, attack in attacks().items():
        results = [detect_learned(np.ascontiguousarray(attack(picture, generator)), key)[0] for picture in marked]
        found[name] = {f"{rate:g}": float(np.mean([one.p_value <= rate for one in results])) for rate in RATES}
    ratios = [peak_ratio(*pair) for pair in zip(pictures, marked, strict=True)]
    found["none"]["ratio"] = float(np.mean(ratios))
    return found


@cache
@torch.inference_mode()
def unmarked_signs() -> Int[np.ndarray, "pictures signs"]:
    """What is read from unmarked emoji after the search for their placement."""
    pictures = emoji_pictures()
    read = []
    for number in np.linspace(0, len(pictures) - 1, UNMARKED).astype(int):
        values = shipped_mark().read(placed(small(pictures[number]), placements()))
        read.append(np.sign(values[values.abs().mean(1).argmax()].numpy()))
    return np.array(read, int)


def learned_false_positives(seed: int) -> dict[str, float]:
    """Shares of pairs of an unmarked emoji and a key that are taken for marked."""
    keys = np.stack([key_signs(f"unmarked {seed} {number}".encode()) for number in range(KEYS)])
    matches = (unmarked_signs() @ keys.T + SIGNS) // 2
    return {f"{rate:g}": float((matches >= least_matches(SIGNS, rate)).mean()) for rate in RATES}


def learned_watermark(context: ClaimContext) -> Evidence:
    """True positives of both marks after each attack, and false positives of the learned one."""
    rows = {seed: context.arm("learned mark", seed, partial(learned_survival, seed)) for seed in context.seeds}
    wrong = {seed: context.arm("unmarked", seed, partial(learned_false_positives, seed)) for seed in context.seeds}
    first = context.seeds[0]
    classical = context.arm("watermark after attacks", first, partial(survival, first))
    shares = [f"{rate:g}" for rate in RATES]
    table = Table(
        f"Marked pictures that are found after each attack, seed {first}",
        ("attack", *(f"{kind} at {share}" for kind in ("learned", "classical") for share in shares)),
        [
            (name, *(f"{marks[name][share]:.0%}" for marks in (rows[first], classical) for share in shares))
            for name in rows[first]
        ],
    )
    pictures = drawn_pictures(first)[:4]
    shown = np.stack([*pictures, *(embed_learned(picture, b"shown") for picture in pictures)])
    others = [name for name in rows[first] if name != REGENERATED]

    def over_seeds(name: str, attacked: list[str], share: str) -> Measurement:
        return Measurement.over_seeds(
            name, {seed: float(np.mean([own[attack][share] for attack in attacked])) for seed, own in rows.items()}
        )

    return Evidence(
        "",
        [
            over_seeds("found at 1e-3 through the autoencoder", [REGENERATED], "0.001"),
            over_seeds("found at 1e-3, mean over the other attacks", others, "0.001"),
            over_seeds("found at 1e-6, mean over the other attacks", others, "1e-06"),
            Measurement.over_seeds("peak ratio", {seed: own["none"]["ratio"] for seed, own in rows.items()}, "dB"),
            Measurement.over_seeds("false positives at 1e-3", {seed: own["0.001"] for seed, own in wrong.items()}),
        ],
        [table, ImageGrid("Without (above) and with the mark", shown / 255, columns=4)],
    )
