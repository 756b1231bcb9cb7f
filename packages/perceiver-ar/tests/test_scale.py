"""Two processes of four devices each, tensor by context, train what one device does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onepaper.training import read_metrics

WORKER = Path(__file__).with_name("scale_worker.py")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def losses(folder: Path, steps: int, processes: int, tensor: int = 1, context: int = 1) -> list[float]:
    """Of every step of the run in `folder` up to this one, after training it to there."""
    flags = f"--xla_backend_optimization_level=0 --xla_force_host_platform_device_count={tensor * context}"
    shared = os.environ | {"XLA_FLAGS": flags}
    if processes > 1:
        shared |= {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(processes)}
    command = [sys.executable, str(WORKER), str(folder), *map(str, (steps, tensor, context))]
    members = [
        subprocess.Popen(command, env=shared | {"JAX_PROCESS_ID": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(processes)
    ]
    try:
        message = [member.communicate(timeout=300)[1][-3000:] for member in members]
    finally:
        for member in members:
            member.kill()
    assert [member.returncode for member in members] == [0] * processes, "\n".join(message)
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl") if "loss" in row]


@pytest.mark.slow
def test_two_processes_equal_one_device_and_their_run_continues_on_it(tmp_path: Path) -> None:
    alone = losses(tmp_path / "alone", 4, 1)
    assert len(alone) == 4
    assert alone[-1] < alone[0]
    mesh = losses(tmp_path / "run", 2, 2, tensor=2, context=2)
    np.testing.assert_allclose(mesh, alone[:2], rtol=1e-4)
    np.testing.assert_allclose(losses(tmp_path / "run", 4, 1), alone, rtol=1e-4)
