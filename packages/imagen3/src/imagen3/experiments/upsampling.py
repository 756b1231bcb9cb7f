"""Claim X5: the upsampler that ships beside interpolation, on emoji that nothing was learned from."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Table

from imagen3.data.pictures import load_pictures
from imagen3.evaluation.upsampling import MEASURES, compare_methods
from imagen3.experiments.guidance import prompts_of
from imagen3.pretrained.upsamplers import Upsampler, open_upsampler
from imagen3.upsampling import enlarge, reduce_size, upsample

SHOWN = 8


def held_out(upsampler: Upsampler) -> tuple[np.ndarray, list[str]]:
    """Pictures of the test part and their captions."""
    pictures = load_pictures(upsampler.config.data)
    numbers = pictures.indices("test")
    return pictures.pixels[numbers], prompts_of(pictures, numbers)


def comparison(seed: int) -> dict[str, list[float]]:
    """The measures of each method."""
    upsampler = open_upsampler()
    found = compare_methods(upsampler, *held_out(upsampler), seed=seed)
    return {method: list(values) for method, values in found.items()}


def upsampled_pictures(context: ClaimContext) -> Evidence:
    """PSNR and distance of each method, and some pictures."""
    rows = {seed: context.arm("test pictures", seed, lambda s=seed: comparison(s)) for seed in context.seeds}
    methods = list(rows[context.seeds[0]])
    measured = [
        Measurement.over_seeds(f"{name}, {method}", {seed: own[method][index] for seed, own in rows.items()}, unit)
        for index, name, unit in ((0, "PSNR", "dB"), (2, "distance", ""))
        for method in methods
    ]
    means = {method: np.mean([own[method] for own in rows.values()], axis=0) for method in methods}
    table = Table(
        "Reduced and enlarged again",
        ("method", *MEASURES),
        [(own, *(f"{v:.4g}" for v in means[own])) for own in methods],
    )
    upsampler = open_upsampler()
    large, prompts = (own[:SHOWN] for own in held_out(upsampler))
    small = reduce_size(large, 2)  # pyright: ignore
    shown = [enlarge(small, 2, "lanczos"), upsample(upsampler, small, prompts, seed=context.seeds[0]), large]  # pyright: ignore
    grid = ImageGrid("Lanczos, the upsampler and the pictures", np.concatenate(shown) / 255, columns=SHOWN)
    return Evidence("", measured, [table, grid])
