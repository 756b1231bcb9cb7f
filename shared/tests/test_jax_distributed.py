"""Two processes against one: replicated and sharded, killed, resumed, and resumed with another number of processes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("flax")

from onepaper.testing import run_processes

from .distributed_worker import losses, train

WORKER = Path(__file__).with_name("distributed_worker.py")


def launch(*jobs) -> list[int]:
    return run_processes(WORKER, ["jax", json.dumps(jobs)], 2)


def check_alike(folder, expected, steps, tolerance=5e-5):
    found = losses(folder)
    assert sorted(found) == list(range(1, steps + 1))
    for step, pair in found.items():
        assert pair == pytest.approx(expected[step], rel=tolerance), f"{folder.name}, step {step}"


def check_equal_averages(state, expected):
    pairs = zip(jax.tree.leaves(state.arrays["ema"]), jax.tree.leaves(expected.arrays["ema"]), strict=True)
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-6)


def test_two_processes_train_like_one(tmp_path):
    _, alone = train("jax", tmp_path / "one", steps=6)
    expected = losses(tmp_path / "one")
    assert launch({"folder": str(tmp_path / "sharded"), "steps": 4, "shards": 2}) == [0, 0]
    check_alike(tmp_path / "sharded", expected, 4)
    _, resumed = train("jax", tmp_path / "sharded", steps=6)
    check_alike(tmp_path / "sharded", expected, 6)
    check_equal_averages(resumed.state, alone.state)


@pytest.mark.slow
def test_a_killed_run_is_resumed_with_any_number_of_processes(tmp_path):
    _, alone = train("jax", tmp_path / "one", steps=15)
    expected = losses(tmp_path / "one")
    train("jax", tmp_path / "sharded-from-one", steps=5)
    codes = launch(
        {"folder": str(tmp_path / "replicated"), "steps": 10},
        {"folder": str(tmp_path / "sharded-from-one"), "steps": 10, "shards": 2},
        {"folder": str(tmp_path / "sharded"), "steps": 10, "shards": 2, "kill_at": 7},
    )
    assert 0 not in codes, "the last job ends by SIGKILL"
    shutil.copytree(tmp_path / "sharded", tmp_path / "replicated-from-sharded")
    check_alike(tmp_path / "sharded", expected, 7)
    codes = launch(
        {"folder": str(tmp_path / "sharded"), "steps": 10, "shards": 2},
        {"folder": str(tmp_path / "replicated-from-sharded"), "steps": 10},
    )
    assert codes == [0, 0]
    for name in ("replicated", "sharded-from-one", "sharded", "replicated-from-sharded"):
        check_alike(tmp_path / name, expected, 10)
    for name in ("replicated", "sharded"):
        _, resumed = train("jax", tmp_path / name, steps=15)
        check_alike(tmp_path / name, expected, 15)
        check_equal_averages(resumed.state, alone.state)
