"""The sweep of guidance on a system with random weights."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext
from scipy.stats import spearmanr

from imagen3.data.pictures import Pictures
from imagen3.experiments import guidance
from imagen3.pretrained.systems import System


def test_sweep(system: System, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guidance, "setting", lambda: (system, pictures))
    for name, value in (("SAMPLES", 8), ("STEPS", 1), ("SHOWN", 4), ("WEIGHTS", (1.0, 2.0, 4.0))):
        monkeypatch.setattr(guidance, name, value)
    numbers = guidance.chosen_pictures(pictures)
    assert len(numbers) == 8
    assert all(pictures.selected[number] and pictures.part[number] == "train" for number in numbers)
    found = guidance.guidance_sweep(ClaimContext(folder=tmp_path, seeds=(0, 1, 2)))
    correlation = found.measurement("rank correlation")
    assert -1 <= correlation.mean <= 1
    rows = [[guidance.distances(weight, seed) for weight in guidance.WEIGHTS] for seed in (0, 1, 2)]
    repeated = [
        spearmanr([row[name] for row in first], [row[name] for row in second]).statistic
        for first, second in zip(rows, [*rows[1:], rows[0]], strict=True)
        for name in ("FD of latents", "MMD of colours")
    ]
    other = found.measurement("rank correlation of one distance, other noise")
    assert other.mean == pytest.approx(np.mean(repeated))
    own = guidance.distances(2.0, 1)
    assert set(own) == {"FD of latents", "MMD of colours"}
    assert np.isfinite(list(own.values())).all()
