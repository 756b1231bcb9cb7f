"""Two processes, with DDP and with FSDP2, train what one does; their runs continue in one process."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import run_processes
from onepaper.training import read_metrics

WORKER = Path(__file__).with_name("scale_worker.py")


def train(processes: int, *trainings: tuple[Path, int, int]) -> None:
    """Train the runs in folders to their steps with their numbers of shards."""
    words = [str(word) for training in trainings for word in training]
    assert run_processes(WORKER, words, processes, timeout=900) == [0] * processes


def logged(folder: Path, name: str) -> list[float]:
    """A quantity of a run's log."""
    return [row[name] for row in read_metrics(folder / "metrics.jsonl") if name in row]


@pytest.mark.slow
def test_processes_equal_one_and_their_runs_continue(tmp_path: Path) -> None:
    train(2, (tmp_path / "ddp", 4, 1), (tmp_path / "fsdp", 4, 2))
    # The sharded checkpoint of two processes, too, goes on in one.
    train(1, *((tmp_path / name, 6, 1) for name in ("alone", "ddp", "fsdp")))
    for part, quality in (("autoencoder", "psnr"), ("denoiser", "loss"), ("adversarial", "psnr")):
        losses = logged(tmp_path / "alone" / part, "loss")
        assert len(losses) == 6
        assert part == "adversarial" or losses[-1] < losses[0]
        for name in ("ddp",) if part == "adversarial" else ("ddp", "fsdp"):
            np.testing.assert_allclose(logged(tmp_path / name / part, "loss"), losses, rtol=1e-4)
            for key in (f"evaluate/{quality}", "grad_norm"):
                expected = logged(tmp_path / "alone" / part, key)
                np.testing.assert_allclose(logged(tmp_path / name / part, key), expected, rtol=1e-3)
