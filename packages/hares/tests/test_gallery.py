"""Neighbours are the nearest clips of other groups, and the page has their players."""

from pathlib import Path

import numpy as np
import torch

from hares.data.mini import mini_task
from hares.gallery import find_neighbours, unit_rows, write_neighbours


class Pitch:
    """Share of the energy in 40 bands."""

    rate = 16_000

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        power = torch.fft.rfft(samples, dim=1).abs()
        return torch.stack([part.sum(1) for part in power[:, :1600].tensor_split(40, dim=1)], 1)


def test_rows() -> None:
    features = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [4.0, 1.0]])
    rows = unit_rows(features, np.array([0, 0, 1, 2]))
    means = np.array([[2.0, 0.0], [0.0, 5.0], [4.0, 1.0]])
    expected = (means - means.mean(0)) / means.std(0)
    np.testing.assert_allclose(rows, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_neighbours_and_page(tmp_path: Path) -> None:
    task = mini_task("mini_pitch")
    found = find_neighbours(Pitch(), task, 6, 3)
    assert len(found) == 6
    for each in found:
        assert len(each.nearest) == 3
        assert each.query.group not in {clip.group for clip in each.nearest}
        assert list(each.similarities) == sorted(each.similarities, reverse=True)
    # Notes whose spectra are alike have the same pitch more often than by chance (one of twelve).
    assert np.mean([clip.label == each.query.label for each in found for clip in each.nearest]) > 0.3
    page = write_neighbours(found, tmp_path, "title").read_text()
    assert page.count("<audio") == 6 * 4
    assert len(list(tmp_path.glob("*.wav"))) == len(list(tmp_path.glob("*.png"))) <= 6 * 4
