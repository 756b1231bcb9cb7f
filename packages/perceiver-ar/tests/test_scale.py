"""Two processes of four devices each, tensor by context, train what one device does."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import run_processes
from onepaper.training import read_metrics

WORKER = Path(__file__).with_name("scale_worker.py")


def losses(folder: Path, steps: int, processes: int, tensor: int = 1, context: int = 1) -> list[float]:
    """Of every step of the run in `folder` up to this one, after training it to there."""
    words = [str(folder), *map(str, (steps, tensor, context))]
    assert run_processes(WORKER, words, processes, devices=tensor * context) == [0] * processes
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl") if "loss" in row]


@pytest.mark.slow
def test_two_processes_equal_one_device_and_their_run_continues_on_it(tmp_path: Path) -> None:
    alone = losses(tmp_path / "alone", 4, 1)
    assert len(alone) == 4
    assert alone[-1] < alone[0]
    mesh = losses(tmp_path / "run", 2, 2, tensor=2, context=2)
    np.testing.assert_allclose(mesh, alone[:2], rtol=1e-4)
    np.testing.assert_allclose(losses(tmp_path / "run", 4, 1), alone, rtol=1e-4)
