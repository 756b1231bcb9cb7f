"""Two processes of two devices each train what one device does, and either goes on from the other's checkpoint."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import run_processes
from onepaper.training import read_metrics

WORKER = Path(__file__).with_name("scale_worker.py")


def losses(folder: Path, steps: int, processes: int, devices: int = 1) -> list[float]:
    """Of every step of the run in `folder` up to this one, after training it to there."""
    assert run_processes(WORKER, [str(folder), str(steps)], processes, devices) == [0] * processes
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl") if "loss" in row]


@pytest.mark.slow
def test_two_processes_equal_one_device_and_their_run_continues_on_it(tmp_path: Path) -> None:
    alone = losses(tmp_path / "alone", 4, 1)
    assert len(alone) == 4
    assert alone[-1] < alone[0]
    several = losses(tmp_path / "run", 2, 2, devices=2)
    np.testing.assert_allclose(several, alone[:2], rtol=1e-4)
    np.testing.assert_allclose(losses(tmp_path / "run", 4, 1), alone, rtol=1e-4)
