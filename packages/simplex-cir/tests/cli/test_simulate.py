import warnings
from pathlib import Path

import numpy as np
import pytest


def test_three_categories_make_a_triangle(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With shapes near 0, where all coordinates of a vector may underflow."""
    words = ("simulate", "--alpha", "1e-3", "1e-3", "1e-3", "--steps", "20", "--output", tmp_path / "run")
    with warnings.catch_warnings(action="error", category=RuntimeWarning):
        assert run(*words) == 0
    assert np.isfinite(np.load(tmp_path / "run" / "trajectories.npz")["x"]).all()
    assert (tmp_path / "run" / "trajectories.png").stat().st_size > 10_000
    assert "share of token 0" in capsys.readouterr().out
