"""Run by test_parallel with eight devices: prints deviations of meshes from one device as JSON.

`python mesh_program.py FOLDER fast` compares one case; `complete` compares the others and trains.
"""

import functools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from onepaper.accelerator import AcceleratorOptions
from onepaper.checkpoints import Checkpoints
from onepaper.jax.steps import JaxTask
from onepaper.optimizer import OptimizerOptions

from perceiver_ar import parallel
from perceiver_ar.config import ModelConfig
from perceiver_ar.models.losses import Batch, sequence_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.parallel import MeshAccelerator, ShardedPerceiverAR, model_builder

SMALL = ModelConfig(
    vocab_size=16, context_length=32, num_latents=8, depth=1, width=32, heads=4, rotary_fraction=0.5, chunk=5
)
# (shard, tensor, context); data is what eight devices leave.
MESHES = {"context": (1, 1, 8), "all": (2, 2, 2)}
CASES: dict[str, tuple[ModelConfig, int, bool, bool]] = {  # model, inputs, ragged, in training
    "even": (SMALL, 32, False, False),
    "exact dropout": (replace(SMALL, prefix_dropout=0.4, dropout=0.1), 31, False, True),
    "ragged exact dropout": (replace(SMALL, prefix_dropout=0.4, logits_chunk=3), 31, True, True),
    "fixed dropout, one head": (
        replace(SMALL, prefix_dropout=0.4, prefix_dropout_kind="fixed", cross_heads=1, heads=2),
        32,
        False,
        True,
    ),
}
FAST = "ragged exact dropout"
# Adam turns a gradient that is zero up to rounding into a full step.
OPTIMIZER = OptimizerOptions(name="sgd", lr=0.1, clip_norm=1.0)


def accelerator(name: str) -> MeshAccelerator:
    shards, tensor, context = MESHES[name]
    return MeshAccelerator(AcceleratorOptions(shards=shards), tensor=tensor, context=context)


def batch(inputs: int, ragged: bool) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    tokens = generator.integers(3, 16, (8, inputs + 1)).astype(np.int32)
    made = {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}
    return made | {"lengths": np.array([inputs, 20, 9, 5] * 2, np.int32)} if ragged else made


def loss(model: PerceiverAR, batch: Batch, key: jax.Array | None) -> jax.Array:
    return sequence_loss(model, batch["inputs"], batch["targets"], batch.get("lengths"), key=key).total(1e-2)


def training_loss(model: PerceiverAR, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    found = sequence_loss(model, batch["inputs"], batch["targets"], batch["lengths"], key=key)
    return found.total(1e-4), found.targets


def task(machine: Any) -> JaxTask:
    config = replace(SMALL, prefix_dropout=0.3, dropout=0.1)
    return JaxTask(model_builder(config, machine), training_loss, OPTIMIZER, total_steps=4, accelerator=machine)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    return 0.4 * np.random.default_rng([*shape]).standard_normal(shape).astype(np.float32)


@functools.cache
def alone(case: str) -> tuple[Any, Any]:
    """Loss and gradients on one device."""
    config, inputs, ragged, training = CASES[case]
    graph, abstract = nnx.split(nnx.eval_shape(lambda: PerceiverAR(config, nnx.Rngs(0))))
    key = jax.random.key(5) if training else None
    function = jax.jit(jax.value_and_grad(lambda p, b: loss(nnx.merge(graph, p), b, key)))
    return function(jax.tree.map(lambda leaf: drawn(leaf.shape), abstract), batch(inputs, ragged))


def distances(case: str, mesh: str) -> tuple[float, float]:
    """Of the loss, and the largest of its gradients relative to their size."""
    config, inputs, ragged, training = CASES[case]
    machine = accelerator(mesh)
    graph, abstract = nnx.split(nnx.eval_shape(lambda: ShardedPerceiverAR(config, nnx.Rngs(0), machine.mesh)))
    params = jax.tree.map(lambda leaf: jax.device_put(drawn(leaf.shape), machine.sharding(leaf.shape)), abstract)
    key = jax.random.key(5) if training else None
    function = jax.jit(jax.value_and_grad(lambda p, b: loss(nnx.merge(graph, p), b, key)))
    together, slopes = function(params, machine.place(batch(inputs, ragged)))
    far = [
        float(np.abs(np.asarray(a) - np.asarray(b)).max() / (np.abs(a).max() + 1e-6))
        for a, b in zip(jax.tree.leaves(alone(case)[1]), jax.tree.leaves(slopes), strict=True)
    ]
    return abs(1 - float(together) / float(alone(case)[0])), max(far)


def temporary_bytes(context: int) -> int:
    """What a device needs beside its arrays for one gradient over a long context."""
    config = replace(SMALL, context_length=8192, chunk=256)
    machine = MeshAccelerator(AcceleratorOptions(shards=8 // context), context=context)
    graph, abstract = nnx.split(nnx.eval_shape(lambda: ShardedPerceiverAR(config, nnx.Rngs(0), machine.mesh)))
    tokens = machine.place({"inputs": np.ones((8, 8192), np.int32)})["inputs"][: 8 // context]
    tokens = jax.device_put(tokens, jax.sharding.NamedSharding(machine.mesh, jax.P(("data", "shard"), "context")))
    slope = jax.jit(jax.grad(lambda p, t: loss(nnx.merge(graph, p), {"inputs": t, "targets": t}, None)))
    return slope.lower(abstract, tokens).compile().memory_analysis().temp_size_in_bytes


def compare_all() -> dict[str, Any]:
    """Every case on every mesh, and memory by the size of the axis `context`."""
    pairs = [("even", "context")] + [(case, "all") for case in CASES if case != FAST]
    found = {f"{case}, {mesh}": distances(case, mesh) for case, mesh in pairs}
    return {"distances": found, "bytes": [temporary_bytes(1), temporary_bytes(8)]}


def compare_one() -> dict[str, Any]:
    """The case with the most features on the mesh with all axes."""
    return {"distances": {f"{FAST}, all": distances(FAST, "all")}}


def train_two_steps(folder: Path) -> dict[str, Any]:
    """Train, and save a checkpoint; the sharding of a parameter."""
    trainer = task(accelerator("all"))
    state = trainer.init(0)
    for _ in range(2):
        state, _ = trainer.step(state, batch(31, ragged=True))
    kernel = state.arrays["params"]["blocks"]["hidden"]["kernel"][...]
    Checkpoints(folder, {}).save(2, lambda path: trainer.save(state, path))
    return {"spec": [str(axis) for axis in kernel.sharding.spec]}


def main(folder: Path, complete: bool) -> None:
    parallel.REPLICATED_BELOW = 1  # so that the arrays of a small model are split
    found = compare_all() | train_two_steps(folder) if complete else compare_one()
    print(json.dumps({"devices": len(jax.devices()), **found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "complete")
