"""Two processes with cached rows train what one process trains."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import run_processes

WORKER = Path(__file__).with_name("scale_worker.py")


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["simclr", "cola", "cpc"])
def test_two_processes_are_one(objective: str, tmp_path: Path) -> None:
    found = []
    for processes in (1, 2):
        file = tmp_path / f"{processes}.npz"
        assert run_processes(WORKER, [objective, str(file)], processes) == [0] * processes
        with np.load(file) as arrays:
            found.append(np.concatenate([arrays[name].ravel() for name in sorted(arrays)]))
    one, two = found
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
