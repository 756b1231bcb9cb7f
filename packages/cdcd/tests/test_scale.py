"""Two processes train what one device does, their run continues on it, and bf16 keeps its state in float32."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.accelerator import AcceleratorOptions
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.custom_steps import CustomJaxTask
from onepaper.testing import run_processes
from onepaper.training import read_metrics

from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS
from cdcd.training import make_direction, make_loss

WORKER = Path(__file__).with_name("scale_worker.py")


def losses(folder: Path, steps: int, processes: int, *, devices: int = 1, shards: int = 1) -> list[float]:
    """Of every step of the run in `folder` up to this one, after training it to there."""
    words = [str(folder), str(steps), str(shards)]
    assert run_processes(WORKER, words, processes, devices=devices) == [0] * processes
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl") if "loss" in row]


@pytest.mark.slow
def test_two_processes_equal_one_device_and_their_run_continues_on_it(tmp_path: Path) -> None:
    alone = losses(tmp_path / "alone", 4, 1)
    assert len(alone) == 4
    assert alone[-1] < alone[0]
    mesh = losses(tmp_path / "run", 2, 2, devices=2, shards=2)
    np.testing.assert_allclose(mesh, alone[:2], rtol=1e-4)
    np.testing.assert_allclose(losses(tmp_path / "run", 4, 1), alone, rtol=1e-4)


def test_bf16_multiplies_in_bfloat16_and_keeps_float32() -> None:
    config = PRESETS["smoke"].config
    tokens = np.random.default_rng(0).integers(0, 28, (config.batch_size, config.model.length)).astype(np.int32)
    found = {}
    for precision in ("fp32", "bf16"):
        task = CustomJaxTask(
            lambda rngs: CategoricalDiffusion(config.model, rngs),
            make_loss(config),
            config.optimizer,
            direction=make_direction(config),
            total_steps=config.loop.steps,
            accelerator=Accelerator(AcceleratorOptions("cpu", precision=precision)),
        )
        state, metrics = task.step(task.init(0), tokens)
        found[precision] = float(metrics["loss"])
        floats = [leaf for leaf in jax.tree.leaves(state.arrays) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        assert {leaf.dtype for leaf in floats} == {jnp.dtype("float32")}
    assert found["bf16"] != found["fp32"]  # bfloat16 has 8 bits of precision
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.02)
