"""Distances of the verb `evaluate`: two folders of pictures in features that need no download."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from onepaper.errors import UsageError
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.paper import Invocation

from imagen3.cli.options import EvaluateOptions
from imagen3.cli.tables import report_tables
from imagen3.evaluation.distances import Features, frechet
from imagen3.evaluation.distribution import cmmd, frechet_infinity, kid, neighbour_scores
from imagen3.evaluation.features import colour_features, latent_features
from imagen3.pretrained.systems import open_system

LEAST, SUBSETS = 20, 100
NAMES = ("Frechet", "Frechet, unlimited", "KID x 1000", "MMD x 1000", "precision", "recall", "density", "coverage")


def evaluate_distances(call: Invocation, reference: Path) -> None:
    """Print distances in each kind of features, and write them into the run folder."""
    options = call.options
    assert isinstance(options, EvaluateOptions)
    system = open_system()
    side = system.config.data.size
    real, drawn = (_pictures(folder, side) for folder in (reference, options.pictures))
    features = {
        "latents of the autoencoder that ships": [latent_features(system.autoencoder, own) for own in (real, drawn)],
        "colours of a grid": [colour_features(own) for own in (real, drawn)],
    }
    found = {name: _distances(*own, seed=options.seed) for name, own in features.items()}
    rows = [("distance", *found), *((name, *(own[0][name] for own in found.values())) for name in NAMES)]
    print(f"{len(drawn):,} pictures and {len(real):,} real ones, at {side} x {side} pixels")
    report_tables(call, {"Distances": rows})
    for name, (_, notes) in found.items():
        for note in notes:
            print(f"{name}: {note}")
    print("None of them is FID, FD-DINO or CMMD, which need their own networks.")


def _pictures(folder: Path, side: int) -> UInt8[np.ndarray, "count side side 3"]:
    files = image_files(folder)
    if len(files) < LEAST:
        raise UsageError(f"{folder} holds {len(files)} pictures, expected at least {LEAST}")
    return np.stack([read_image(file, size=(side, side)) for file in files])


def _distances(real: Features, drawn: Features, *, seed: int) -> tuple[dict[str, str], tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    whole = frechet(real, drawn)
    size = min(1000, len(real), len(drawn))
    kernel, spread = kid(real, drawn, generator, subsets=SUBSETS, size=size)
    values = [
        f"{whole.distance:.4g}",
        f"{frechet_infinity(real, drawn, generator)[0]:.4g}",
        f"{1000 * kernel:.4g} (sd {1000 * spread:.2g} of {SUBSETS} subsets of {size})",
        f"{cmmd(real, drawn):.4g}",
        *(f"{value:.3f}" for value in neighbour_scores(real, drawn)),
    ]
    return dict(zip(NAMES, values, strict=True)), whole.notes
