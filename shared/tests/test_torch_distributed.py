"""Two real processes under torchrun: DDP and FSDP2 against one process, killed, resumed, and read by each other."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from onepaper.checkpoints import Checkpoints
from onepaper.errors import OnePaperError
from onepaper.torch.state_files import read_state
from onepaper.training import read_metrics

from .distributed_worker import train

WORKER = Path(__file__).with_name("distributed_worker.py")
TIMEOUT = 300


def launch(*jobs) -> int:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(WORKER),
        "torch",
    ]
    done = subprocess.run([*command, json.dumps(jobs)], timeout=TIMEOUT, check=False, capture_output=True, text=True)
    print(done.stderr[-3000:])
    return done.returncode


def losses(folder) -> dict[int, tuple[float, float]]:
    return {row["step"]: (row["loss"], row["grad_norm"]) for row in read_metrics(folder / "metrics.jsonl")}


def check_alike(got, expected, tolerance=2e-5):
    assert got.keys() == expected.keys()
    for step, pair in expected.items():
        assert got[step] == pytest.approx(pair, rel=tolerance), f"step {step}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("torch")
    train("torch", root / "one", steps=15)
    train("torch", root / "sharded-from-one", steps=5)
    code = launch(
        {"folder": str(root / "replicated"), "steps": 10},
        {"folder": str(root / "sharded-from-one"), "steps": 10, "shards": 2},
        {"folder": str(root / "sharded"), "steps": 10, "shards": 2, "kill_at": 7},
    )
    assert code != 0, "the last job ends by SIGKILL"
    shutil.copytree(root / "sharded", root / "replicated-from-sharded")
    assert sorted(losses(root / "sharded")) == [1, 2, 3, 4, 5, 6, 7]
    code = launch(
        {"folder": str(root / "sharded"), "steps": 10, "shards": 2},
        {"folder": str(root / "replicated-from-sharded"), "steps": 10},
    )
    assert code == 0
    return root


@pytest.mark.parametrize("name", ["replicated", "sharded-from-one", "sharded", "replicated-from-sharded"])
def test_two_processes_train_like_one(finished, name):
    expected = {step: pair for step, pair in losses(finished / "one").items() if step <= 10}
    check_alike(losses(finished / name), expected)


@pytest.mark.parametrize("name", ["replicated", "sharded"])
def test_one_process_goes_on_from_two(finished, tmp_path, name):
    folder = shutil.copytree(finished / name, tmp_path / name)
    _, done = train("torch", folder, steps=15)
    check_alike(losses(folder), losses(finished / "one"))
    _, expected = train("torch", finished / "one", steps=15)
    for got, wanted in zip(done.state.ema.values(), expected.state.ema.values(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=2e-4, atol=2e-6)


def test_sharded_checkpoints_are_shards(finished):
    assert list((finished / "sharded/checkpoints/step_10/shards").glob("*.distcp"))
    assert (finished / "replicated/checkpoints/step_10/state.safetensors").exists()


def test_shards_that_do_not_fit_are_refused(finished):
    folder = finished / "sharded/checkpoints/step_10"
    tree = Checkpoints(folder.parent, {}).manifest(10).tree
    tensors = {name: torch.zeros(leaf.shape, dtype=getattr(torch, leaf.dtype)) for name, leaf in tree.items()}
    read_state(folder, tensors, tree)
    assert tensors["model/first.weight"].any()
    tensors["model/first.weight"] = tensors["model/first.weight"].to(torch.bfloat16)
    with pytest.raises(OnePaperError, match="'model/first.weight' is float32.*expected bfloat16"):
        read_state(folder, tensors, tree)
