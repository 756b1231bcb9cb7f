"""A process that is lost ends the others at once, in one line."""

import signal
from pathlib import Path

import pytest

from onepaper.testing import run_processes

WORKER = Path(__file__).with_name("lost_peer_worker.py")


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_lost_process_ends_the_run_in_one_line(framework: str, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(framework)
    # in good order, JAX would wait for the lost process for minutes and then abort
    assert run_processes(WORKER, [framework], 2, timeout=60) == [1, -signal.SIGKILL]
    lines = [line for line in capfd.readouterr().err.splitlines() if line]
    assert lines[-1].startswith("onepaper: another process of this run was lost"), lines
    assert "Traceback" not in "".join(lines)
