"""Two processes against one: DDP and FSDP2, killed, resumed, and resumed with another number of processes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from onepaper.checkpoints import Checkpoints
from onepaper.errors import OnePaperError
from onepaper.testing import run_processes
from onepaper.torch import accelerator
from onepaper.torch.state_files import read_state

from .distributed_worker import losses, train

WORKER = Path(__file__).with_name("distributed_worker.py")


def torchrun(*jobs) -> int:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, str(WORKER), "torch", json.dumps(jobs)]
    done = subprocess.run(command, timeout=300, check=False, capture_output=True, text=True)
    print(done.stderr[-3000:])
    return done.returncode


def check_alike(folder, expected, steps, tolerance=2e-5):
    found = losses(folder)
    assert sorted(found) == list(range(1, steps + 1))
    for step, pair in found.items():
        assert pair == pytest.approx(expected[step], rel=tolerance), f"{folder.name}, step {step}"


def check_equal_averages(state, expected):
    for got, wanted in zip(state.ema.values(), expected.ema.values(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=2e-4, atol=2e-6)


def test_two_processes_train_like_one(tmp_path):
    _, alone = train("torch", tmp_path / "one", steps=6)
    expected = losses(tmp_path / "one")
    jobs = [
        {"folder": str(tmp_path / name), "steps": 4, "shards": shards} for name, shards in (("ddp", 1), ("fsdp", 2))
    ]
    assert run_processes(WORKER, ["torch", json.dumps(jobs)], 2) == [0, 0]
    for name in ("ddp", "fsdp"):
        check_alike(tmp_path / name, expected, 4)
    checkpoint = tmp_path / "fsdp/checkpoints/step_4"
    assert list((checkpoint / "shards").glob("*.distcp"))
    assert (tmp_path / "ddp/checkpoints/step_4/state.safetensors").exists()
    _, resumed = train("torch", tmp_path / "fsdp", steps=6)
    check_alike(tmp_path / "fsdp", expected, 6)
    check_equal_averages(resumed.state, alone.state)

    tree = Checkpoints(checkpoint.parent, {}).manifest(4).tree
    tensors = {name: torch.zeros(leaf.shape, dtype=getattr(torch, leaf.dtype)) for name, leaf in tree.items()}
    read_state(checkpoint, tensors, tree)
    assert tensors["model/first.weight"].any()
    tensors["model/first.weight"] = tensors["model/first.weight"].to(torch.bfloat16)
    with pytest.raises(OnePaperError, match="'model/first.weight' is float32.*expected bfloat16"):
        read_state(checkpoint, tensors, tree)


@pytest.mark.slow
def test_a_killed_run_is_resumed_with_any_number_of_processes(tmp_path):
    _, alone = train("torch", tmp_path / "one", steps=15)
    expected = losses(tmp_path / "one")
    train("torch", tmp_path / "sharded-from-one", steps=5)
    code = torchrun(
        {"folder": str(tmp_path / "replicated"), "steps": 10},
        {"folder": str(tmp_path / "sharded-from-one"), "steps": 10, "shards": 2},
        {"folder": str(tmp_path / "sharded"), "steps": 10, "shards": 2, "kill_at": 7},
    )
    assert code != 0, "the last job ends by SIGKILL"
    shutil.copytree(tmp_path / "sharded", tmp_path / "replicated-from-sharded")
    check_alike(tmp_path / "sharded", expected, 7)
    code = torchrun(
        {"folder": str(tmp_path / "sharded"), "steps": 10, "shards": 2},
        {"folder": str(tmp_path / "replicated-from-sharded"), "steps": 10},
    )
    assert code == 0
    for name in ("replicated", "sharded-from-one", "sharded", "replicated-from-sharded"):
        check_alike(tmp_path / name, expected, 10)
    for name in ("replicated", "sharded"):
        _, resumed = train("torch", tmp_path / name, steps=15)
        check_alike(tmp_path / name, expected, 15)
        check_equal_averages(resumed.state, alone.state)


def test_inner_blocks_are_sharded_before_outer_ones(monkeypatch):
    # FSDP2 needs that order; otherwise an outer block has gathered the parameters of the inner ones already
    inner, outer = torch.nn.ModuleList([torch.nn.Linear(2, 2)]), torch.nn.ModuleList([torch.nn.Sequential()])
    outer[0].append(inner)
    model = torch.nn.Sequential(outer)
    seen = []
    monkeypatch.setattr(accelerator, "fully_shard", lambda module, mesh: seen.append(module) or module)
    machine = accelerator.Accelerator()
    machine._mesh = "mesh"
    assert machine.wrap(model) is model
    assert [id(module) for module in seen] == [id(inner[0]), id(outer[0]), id(model)]
