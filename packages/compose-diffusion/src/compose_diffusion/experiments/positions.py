"""Measurements of the claims about canvases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from onepaper.claims import ArmResult, ClaimContext, Evidence, ImageGrid, Measurement, Note, Plot, Table
from onepaper.display.plots import lines_with_intervals

from compose_diffusion.config.positions import (
    PositionsComparison,
    TapestryComparison,
    WhatWhereComparison,
)
from compose_diffusion.evaluation.composed_positions import MEASURES, compose_positions
from compose_diffusion.evaluation.detector import measured_accuracy
from compose_diffusion.evaluation.mosaics import TAPESTRY_ARMS, WHAT_WHERE_ARMS, digit_tapestry, what_where

LABELS = {
    "score/reverse": "reverse",
    "score/ula": "reverse + ULA",
    "score/uhmc": "reverse + U-HMC",
    "energy/reverse": "energy, reverse",
    "energy/ula": "energy, reverse + ULA",
    "energy/mala": "energy, reverse + MALA",
    "energy/uhmc": "energy, reverse + U-HMC",
    "energy/hmc": "energy, reverse + HMC",
}
QUICK = PositionsComparison(counts=(1, 5), arms=("score/reverse", "score/ula"), num_images=60)
FULL = PositionsComparison()
# Number of images of the first seed in a grid.
SHOWN = 8

Arms = Mapping[tuple[str, int], Mapping[int, ArmResult]]


def accuracy_name(arm: str, count: int) -> str:
    """Name of the measurement: how often all of `count` requested positions are satisfied."""
    return f"{LABELS[arm]}, {count} position{'s' if count > 1 else ''}"


def gain_name(count: int) -> str:
    """Name of the measurement: accuracy that ULA adds to the reverse process of the score network."""
    return f"gain by ULA, {count} position{'s' if count > 1 else ''}"


def composed_positions(context: ClaimContext) -> Evidence:
    """C9, with the score network: reverse alone and with ULA, for 1 and 5 positions."""
    return _compare(context, QUICK)


def composed_positions_by_energy(context: ClaimContext) -> Evidence:
    """C9, all samplers: score and energy network, unadjusted and adjusted kernels, for 1 to 5 positions."""
    return _compare(context, FULL)


def _compare(context: ClaimContext, config: PositionsComparison) -> Evidence:
    arms = _run(context, config)
    measured = [_measurement(by_seed, accuracy_name(arm, count), "accuracy") for (arm, count), by_seed in arms.items()]
    by_name = {m.name: m for m in measured}
    for count in config.counts:
        gain = by_name[accuracy_name("score/ula", count)].minus(by_name[accuracy_name("score/reverse", count)])
        measured.append(replace(gain, name=gain_name(count)))
    most = max(config.counts)
    accuracies = {arm: by_name[accuracy_name(arm, most)] for arm in config.arms}
    best = max(accuracies, key=lambda arm: accuracies[arm].mean)
    summary = ", ".join(f"{LABELS[arm]} {value.mean:.1%}" for arm, value in accuracies.items())
    figure = lines_with_intervals(
        config.counts,
        {
            LABELS[arm]: [
                (m.mean, m.low, m.high) for m in (by_name[accuracy_name(arm, count)] for count in config.counts)
            ]
            for arm in config.arms
        },
        "requested positions",
        "share with a digit at every position",
        log_x=False,
    )
    return Evidence(
        f"a digit at all of {most} positions: {summary}",
        measured,
        [
            Plot("Accuracy and number of positions", figure, "95% intervals over the seeds."),
            *(_canvases(context, arms, arm, most) for arm in dict.fromkeys(("score/reverse", best))),
            _table(arms, config),
            _evaluation_note(config),
        ],
    )


def _run(context: ClaimContext, config: PositionsComparison) -> Arms:
    work = [(arm, count, seed) for count in config.counts for arm in config.arms for seed in context.seeds]
    found: dict[tuple[str, int], dict[int, ArmResult]] = {}
    for arm, count, seed in context.track(work, "composed positions"):
        compute = partial(_arm, config, arm, count, seed)
        name = f"positions/{arm}/{count}/{config.num_images} images"
        found.setdefault((arm, count), {})[seed] = context.arm(name, seed, compute)
    return found


def _arm(config: PositionsComparison, arm: str, count: int, seed: int) -> Mapping[str, float | np.ndarray]:
    drawn = compose_positions(config, arm, count, seed)
    return {**drawn.measured, "images": drawn.images[:SHOWN, 0].numpy(), "positions": drawn.positions[:SHOWN].numpy()}


def _measurement(by_seed: Mapping[int, ArmResult], name: str, key: str) -> Measurement:
    return Measurement.over_seeds(name, {seed: result[key] for seed, result in by_seed.items()})


def _canvases(context: ClaimContext, arms: Arms, arm: str, count: int) -> ImageGrid:
    first = arms[arm, count][context.seeds[0]]
    images = np.stack([_marked(*pair) for pair in zip(first["images"], first["positions"], strict=True)])
    return ImageGrid(
        f"{LABELS[arm]}: {count} requested positions",
        images,
        columns=4,
        upscale=4,
        caption="First canvases of the first seed; frames show the requested positions.",
    )


def _marked(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Dark ink on white, enlarged twice, with a frame around each requested position: [2 H, 2 W, 3]."""
    paper = 1 - (image.clip(-1, 1) + 1) / 2
    picture = np.repeat(np.repeat(paper, 2, axis=0), 2, axis=1)[:, :, None].repeat(3, axis=2)
    frame = np.array([0.82, 0.29, 0.36])
    for x, y in 2 * positions:
        rows, columns = slice(y, y + 16), slice(x, x + 16)
        picture[rows, x] = picture[rows, x + 15] = frame
        picture[y, columns] = picture[y + 15, columns] = frame
    return picture


def _table(arms: Arms, config: PositionsComparison) -> Table:
    most = max(config.counts)
    names = [name for name in MEASURES if name != "seconds"]
    rows: list[Sequence[str | float]] = []
    for arm in config.arms:
        results = list(arms[arm, most].values())
        means = [float(np.mean([result[name] for result in results])) for name in names]
        rows.append([LABELS[arm], *("" if np.isnan(mean) else f"{mean:.4g}" for mean in means)])
    return Table(f"{most} positions, means over the seeds", ["sampler", *(MEASURES[name] for name in names)], rows)


def _evaluation_note(config: PositionsComparison) -> Note:
    most = max(config.counts)
    real = measured_accuracy(most)
    return Note(
        f"{config.num_images} canvases for each seed, sampler and number of positions, on {config.num_levels} levels; "
        f"weight {config.weight:g}; after each reverse step {config.langevin_moves} Langevin or "
        f"{config.hamiltonian_moves} Hamiltonian steps, down to level {config.lowest_level}. The detector is an MLP on "
        f"windows, trained on digits that no network has seen. On real canvases of {most} digits it finds all of "
        f"them on {real['all found']:.1%}, has the right number on {real['right count']:.1%}, and detects one at "
        f"{real['false finds']:.2%} of the empty positions."
    )


def digit_tapestries(context: ClaimContext) -> Evidence:
    """C11: tapestries of overlapping digits by reverse alone and with ULA, as an average and as a product."""
    config = TapestryComparison()
    names = {
        "average/reverse": "reverse",
        "average/ula": "reverse + ULA",
        "product/reverse": "product of crops, reverse",
        "product/ula": "product of crops, reverse + ULA",
    }
    arms: dict[str, dict[int, ArmResult]] = {arm: {} for arm in TAPESTRY_ARMS}
    work = [(arm, seed) for arm in TAPESTRY_ARMS for seed in context.seeds]
    for arm, seed in context.track(work, "tapestries"):

        def compute(arm: str = arm, seed: int = seed) -> Mapping[str, float | np.ndarray]:
            drawn = digit_tapestry(config, arm, seed)
            return {**drawn.measured, "images": drawn.images[:SHOWN, 0].numpy(), "labels": drawn.labels[:SHOWN].numpy()}

        arms[arm][seed] = context.arm(f"tapestry/{arm}", seed, compute)
    measured = [
        _measurement(by_seed, f"{key}, {names[arm]}", key)
        for key in ("regional accuracy", "whole tapestries")
        for arm, by_seed in arms.items()
    ]
    by_name = {m.name: m.mean for m in measured}
    grids = [
        ImageGrid(
            f"Tapestries, {names[arm]}",
            _ink(by_seed[context.seeds[0]]["images"]),
            labels=[_rows(labels, config.columns) for labels in by_seed[context.seeds[0]]["labels"]],
            columns=4,
            upscale=6,
            caption="First tapestries of the first seed, with the digits asked for, row by row.",
        )
        for arm, by_seed in arms.items()
    ]
    height, width = config.canvas
    return Evidence(
        f"{by_name['regional accuracy, reverse + ULA']:.1%} of the regions show the requested digit, with reverse "
        f"alone {by_name['regional accuracy, reverse']:.1%}",
        measured,
        [
            *grids,
            Note(
                f"{config.rows} x {config.columns} regions of 8 x 8 pixels, {config.stride} apart, on a canvas of "
                f"{height} x {width}; {config.num_images} tapestries for each seed and sampler."
            ),
        ],
    )


def what_and_where(context: ClaimContext) -> Evidence:
    """C12b: requested digits at requested positions, by two separately trained networks."""
    config = WhatWhereComparison()
    names = {"reverse": "both, reverse", "ula": "both, reverse + ULA", "places alone": "places alone, reverse + ULA"}
    arms: dict[str, dict[int, ArmResult]] = {arm: {} for arm in WHAT_WHERE_ARMS}
    work = [(arm, seed) for arm in WHAT_WHERE_ARMS for seed in context.seeds]
    for arm, seed in context.track(work, "what where"):

        def compute(arm: str = arm, seed: int = seed) -> Mapping[str, float | np.ndarray]:
            drawn = what_where(config, arm, seed)
            return {**drawn.measured, "images": drawn.images[:SHOWN, 0].numpy(), "labels": drawn.labels[:SHOWN].numpy()}

        arms[arm][seed] = context.arm(f"what where/{arm}", seed, compute)
    measured = [
        _measurement(by_seed, f"{key}, {names[arm]}", key)
        for key in ("right digits", "all right")
        for arm, by_seed in arms.items()
    ]
    by_name = {m.name: m.mean for m in measured}
    grids = [
        ImageGrid(
            f"What where, {names[arm]}",
            _ink(by_seed[context.seeds[0]]["images"]),
            labels=[" ".join(map(str, labels)) for labels in by_seed[context.seeds[0]]["labels"].tolist()],
            columns=4,
            upscale=4,
            caption="First canvases of the first seed, with the digits asked for at three places.",
        )
        for arm, by_seed in arms.items()
    ]
    return Evidence(
        f"{by_name['right digits, both, reverse + ULA']:.1%} of the requested digits are right, by the network of "
        f"positions alone {by_name['right digits, places alone, reverse + ULA']:.1%}",
        measured,
        [
            *grids,
            Note(
                f"{config.num_digits} digits, weights {config.weight:g} (place) and {config.class_weight:g} (class), "
                f"{config.num_images} canvases for each seed and sampler. A digit is right if the detector finds one "
                "at its position and the evaluator classifies it correctly; both were trained on other digits."
            ),
        ],
    )


def _ink(images: np.ndarray) -> np.ndarray:
    """Dark ink on white."""
    return 1 - (images.clip(-1, 1) + 1) / 2


def _rows(labels: np.ndarray, columns: int) -> str:
    """Digits of a tapestry row by row: 314/159."""
    digits = "".join(str(int(label)) for label in labels)
    return "/".join(digits[start : start + columns] for start in range(0, len(digits), columns))
