"""Two real processes under jax.distributed: replicated and sharded against one process, killed, resumed, exchanged."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")

from onepaper.training import read_metrics

from .distributed_worker import train

WORKER = Path(__file__).with_name("distributed_worker.py")
TIMEOUT = 300


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def launch(*jobs) -> list[int]:
    port = free_port()
    members = []
    for rank in range(2):
        environment = os.environ | {
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
            "JAX_NUM_PROCESSES": "2",
            "JAX_PROCESS_ID": str(rank),
        }
        command = [sys.executable, str(WORKER), "jax", json.dumps(jobs)]
        members.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        for member in members:
            print(member.communicate(timeout=TIMEOUT)[1][-3000:])
    finally:
        for member in members:
            member.kill()
    return [member.returncode for member in members]


def losses(folder) -> dict[int, tuple[float, float]]:
    return {row["step"]: (row["loss"], row["grad_norm"]) for row in read_metrics(folder / "metrics.jsonl")}


def check_alike(got, expected, tolerance=5e-5):
    assert got.keys() == expected.keys()
    for step, pair in expected.items():
        assert got[step] == pytest.approx(pair, rel=tolerance), f"step {step}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("jax")
    train("jax", root / "one", steps=15)
    train("jax", root / "sharded-from-one", steps=5)
    codes = launch(
        {"folder": str(root / "replicated"), "steps": 10},
        {"folder": str(root / "sharded-from-one"), "steps": 10, "shards": 2},
        {"folder": str(root / "sharded"), "steps": 10, "shards": 2, "kill_at": 7},
    )
    assert 0 not in codes, "the last job ends by SIGKILL"
    shutil.copytree(root / "sharded", root / "replicated-from-sharded")
    codes = launch(
        {"folder": str(root / "sharded"), "steps": 10, "shards": 2},
        {"folder": str(root / "replicated-from-sharded"), "steps": 10},
    )
    assert codes == [0, 0]
    return root


@pytest.mark.parametrize("name", ["replicated", "sharded-from-one", "sharded", "replicated-from-sharded"])
def test_two_processes_train_like_one(finished, name):
    expected = {step: pair for step, pair in losses(finished / "one").items() if step <= 10}
    check_alike(losses(finished / name), expected)


@pytest.mark.parametrize("name", ["replicated", "sharded"])
def test_one_process_goes_on_from_two(finished, tmp_path, name):
    folder = shutil.copytree(finished / name, tmp_path / name)
    _, done = train("jax", folder, steps=15)
    check_alike(losses(folder), losses(finished / "one"))
    _, expected = train("jax", finished / "one", steps=15)
    pairs = zip(jax.tree.leaves(done.state.arrays["ema"]), jax.tree.leaves(expected.state.arrays["ema"]), strict=True)
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-6)
