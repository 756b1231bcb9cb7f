import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import mesh_program
import numpy as np
import pytest
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.checkpoints import Checkpoints
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator

from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.parallel import MeshAccelerator, model_builder


def run_program(folder: Path, part: str) -> dict:
    """What the program prints on eight devices."""
    flags = "--xla_backend_optimization_level=0 --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, mesh_program.__file__, str(folder), part]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 8
    return found


def check_distances(found: dict) -> None:
    for name, (of_loss, of_gradients) in found["distances"].items():
        assert of_loss < 1e-5, name
        assert of_gradients < 2e-4, name


@pytest.fixture(scope="module")
def eight_devices(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """Results of the complete program on eight devices, and the checkpoint that it leaves."""
    folder = tmp_path_factory.mktemp("sharded")
    return run_program(folder, "complete"), folder


def test_loss_and_gradients_do_not_depend_on_the_mesh(tmp_path: Path) -> None:
    check_distances(run_program(tmp_path, "fast"))


@pytest.mark.slow
def test_all_cases_on_all_meshes(eight_devices: tuple[dict, Path]) -> None:
    found = eight_devices[0]
    assert len(found["distances"]) == len(mesh_program.CASES)
    check_distances(found)
    one, eight = found["bytes"]
    assert eight < one / 4  # a sharded context takes less memory on each device


@pytest.mark.slow
def test_parameters_are_split_over_two_axes(eight_devices: tuple[dict, Path]) -> None:
    assert eight_devices[0]["spec"] == ["None", "shard", "tensor"]


@pytest.mark.slow
def test_a_run_on_eight_devices_continues_on_one(eight_devices: tuple[dict, Path]) -> None:
    alone = mesh_program.task(Accelerator())
    batch = mesh_program.batch(31, ragged=True)
    checkpoint = Checkpoints(eight_devices[1], {}).restore(alone.restore)
    assert checkpoint is not None
    resumed, from_start = checkpoint[0], alone.init(0)
    for _ in range(2):
        from_start, _ = alone.step(from_start, batch)
    assert resumed.step == from_start.step == 2
    for state in (resumed, from_start):
        assert not alone.non_finite(state)
    (resumed, mine), (from_start, theirs) = alone.step(resumed, batch), alone.step(from_start, batch)
    np.testing.assert_allclose(mine["loss"], theirs["loss"], rtol=1e-4)
    pairs = zip(jax.tree.leaves(resumed.arrays["params"]), jax.tree.leaves(from_start.arrays["params"]), strict=True)
    for got, wanted in pairs:
        np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_one_device_is_a_mesh_too() -> None:
    machine = MeshAccelerator()
    assert dict(machine.mesh.shape) == {"data": 1, "shard": 1, "tensor": 1, "context": 1}
    assert type(model_builder(mesh_program.SMALL, machine)(nnx.Rngs(0))) is PerceiverAR


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"tensor": 2}, "1 devices do not divide into groups of 2: 1 shards, 2 tensor, 1 context"),
        ({"context": 0}, "context is 0"),
    ],
)
def test_meshes_that_do_not_fit_raise_errors(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MeshAccelerator(AcceleratorOptions(), **sizes)
