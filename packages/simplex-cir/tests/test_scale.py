"""Eight devices, and two processes, train and sample what one device does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("scale_worker.py")
PLACES = {"one device": (1, 1), "eight devices": (1, 8), "two processes": (2, 1)}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def launch(folder: Path, processes: int, devices: int) -> dict[str, Any]:
    folder.mkdir()
    flags = f"--xla_backend_optimization_level=0 --xla_force_host_platform_device_count={devices}"
    shared = os.environ | {"XLA_FLAGS": flags}
    if processes > 1:
        shared |= {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(processes)}
    command = [sys.executable, str(WORKER), str(folder)]
    members = [
        subprocess.Popen(command, env=shared | {"JAX_PROCESS_ID": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(processes)
    ]
    try:
        expected = [member.communicate(timeout=300)[1][-3000:] for member in members]
    finally:
        for member in members:
            member.kill()
    assert [member.returncode for member in members] == [0] * processes, "\n".join(expected)
    parts = [json.loads((folder / f"result{rank}.json").read_text()) for rank in range(processes)]
    tokens: dict[int, list[list[int]]] = {}
    for part in parts:
        assert part["devices"] == processes * devices
        tokens |= {int(start): rows for start, rows in part["tokens"].items()}
    return {
        "losses": json.loads((folder / "losses.json").read_text()),
        "weights": parts[0]["weights"],
        "tokens": np.concatenate([tokens[start] for start in sorted(tokens)]),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("scale")
    return {name: launch(root / name.replace(" ", "-"), *place) for name, place in PLACES.items()}


@pytest.mark.parametrize("name", ["eight devices", "two processes"])
def test_training_is_that_of_one_device(results: dict[str, dict[str, Any]], name: str) -> None:
    one, many = results["one device"], results[name]
    assert len(one["losses"]) == 6
    np.testing.assert_allclose(many["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(many["weights"], one["weights"], rtol=1e-3)


@pytest.mark.parametrize("name", ["eight devices", "two processes"])
def test_sampling_is_that_of_one_device(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results["one device"]["tokens"].shape == (32, 5)
    np.testing.assert_array_equal(results[name]["tokens"], results["one device"]["tokens"])
