"""Claim C12: distances of spatial features are sensitive to the arrangement of a picture, those of pooled ones less."""

import numpy as np
from einops import rearrange
from jaxtyping import UInt8
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement

from dct_transformer.config import DataConfig
from dct_transformer.data.images import open_images, resize
from dct_transformer.evaluation.distances import frechet_distance
from dct_transformer.evaluation.haar import haar_features

# Tiles are of 10 pixels, so that squares of 4 pixels, which the coarse wavelets see, are torn apart.
SIZE, TILES, SHOWN = 40, 4, 8


def shuffled(
    pictures: UInt8[np.ndarray, "count height width 3"], generator: np.random.Generator
) -> UInt8[np.ndarray, "count height width 3"]:
    """Each picture with its tiles, 4 by 4 of them, in another order."""
    tiles = rearrange(pictures, "n (g h) (k w) c -> n (g k) h w c", g=TILES, k=TILES)
    moved = generator.permuted(np.tile(np.arange(TILES**2), (len(pictures), 1)), axis=1)
    tiles = np.take_along_axis(tiles, moved[:, :, None, None, None], axis=1)
    return rearrange(tiles, "n (g k) h w c -> n (g h) (k w) c", g=TILES)


def distance_of_shuffled(context: ClaimContext) -> Evidence:
    """Distances of half of the stamps from the other half, before and after their tiles are shuffled."""
    images = open_images(DataConfig(), SIZE, SIZE)
    pictures = np.stack([resize(images[index], (SIZE, SIZE)) for index in range(len(images))])
    factors: dict[str, dict[int, float]] = {"spatial": {}, "pooled": {}}
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        first, second = np.array_split(generator.permutation(len(pictures)), 2)
        real, other = (haar_features(pictures[chosen]) for chosen in (first, second))
        moved = haar_features(shuffled(pictures[second], generator))
        for name, own in factors.items():
            before, after = (frechet_distance(getattr(found, name), getattr(real, name)) for found in (other, moved))
            own[seed] = after / before
    shown = pictures[:: len(pictures) // SHOWN][:SHOWN]
    grid = np.concatenate([shown, shuffled(shown, np.random.default_rng(0))]) / 255
    return Evidence(
        "",
        [Measurement.over_seeds(f"factor of the {name} distance", own) for name, own in factors.items()],
        [ImageGrid("Stamps, and with shuffled tiles", grid, columns=SHOWN)],
    )
