"""Figures of an untrained network: files of all kinds; neighbours by distance."""

import numpy as np
from PIL import Image

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus, held_out_windows
from cdcd.diffusion.embeddings import normalize
from cdcd.evaluation import figures
from cdcd.models.denoiser import CategoricalDiffusion


def test_neighbours_by_distance() -> None:
    embeddings = np.asarray(normalize(np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)))
    found = figures.neighbours(embeddings, np.array([4, 0]), 3)
    for token, row in zip((4, 0), found, strict=True):
        distances = np.linalg.norm(embeddings - embeddings[token], axis=1)
        np.testing.assert_array_equal(row, np.argsort(distances)[1:4])


def test_curve(untrained: CategoricalDiffusion, letters: Corpus) -> None:
    curve = figures.loss_curve_of(untrained, held_out_windows(letters.test, 16, 4))
    assert (np.diff(curve.t) > 0).all()
    np.testing.assert_allclose(untrained.warp.averaged().cdf(curve.t), curve.u, atol=1e-4)
    assert curve.predicted[0] == 0


def test_files(untrained: CategoricalDiffusion, letters: Corpus, tmp_path: object) -> None:
    found = figures.figures_of(untrained, letters, SamplingOptions(steps=4))
    pictures = [name for name in found if name.endswith(".png")]
    assert len(pictures) == 2
    for name in pictures:
        (path := tmp_path / name).write_bytes(found[name])  # type: ignore[operator]
        assert Image.open(path).size[0] > 100
    rows = found["4-sample-over-steps.txt"].decode().splitlines()
    assert len(rows) == 5
    assert rows[-1].strip().startswith("final tokens")
    assert len(found["3-neighbours-of-embeddings.txt"].decode().splitlines()) == figures.LISTED
