"""One process of a contrastive training: `python global_batch_worker.py torch|jax FILE`, also used without others.

The loss compares every example with all examples of the global batch; the model keeps the mean of its features, which
no gradient changes; the second tower has its own rate and gradient clipping, and there are two averages of the weights.
The main process writes all numbers of the state to FILE.
"""

import sys
from pathlib import Path

import numpy as np

from onepaper.accelerator import AcceleratorOptions
from onepaper.data import BatchSampler
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions, fit

FIRST = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
SECOND = FIRST @ np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
OPTIMIZER = OptimizerOptions("sgd", lr=0.1, momentum=0.9)
STEPS, BATCH_SIZE, MOMENTUM, RATE, CLIP = 3, 8, 0.9, 3.0, 0.05
AVERAGES = (0.5, 0.9)


def torch_task():
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, normalize

    from onepaper.torch.accelerator import Accelerator
    from onepaper.torch.custom_steps import CustomTorchTask, group_parameters

    accelerator = Accelerator(AcceleratorOptions("cpu", threads=1))

    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 4), nn.Linear(5, 4)
            self.register_buffer("mean", torch.zeros(4))

    def loss(model, batch, generator):
        first = normalize(model.first(batch["first"]), dim=1)
        second = normalize(model.second(batch["second"]), dim=1)
        with torch.no_grad():
            total = accelerator.sum(first.sum(0)) / BATCH_SIZE
            model.mean.lerp_(total, 1 - MOMENTUM)
        rows = accelerator.rank * len(first) + torch.arange(len(first))
        one = cross_entropy(first @ accelerator.gather(second).T / 0.3, rows, reduction="sum")
        other = cross_entropy(second @ accelerator.gather(first).T / 0.3, rows, reduction="sum")
        return one + other, len(first)

    def make(model):
        groups = group_parameters(model, {"second.": "second"}, "first")
        second = {"params": groups["second"], "lr_scale": RATE, "clip_norm": CLIP}
        return torch.optim.SGD([{"params": groups["first"]}, second], lr=1.0, momentum=0.9)

    return accelerator, CustomTorchTask(
        Towers, loss, OPTIMIZER, make_optimizer=make, averages=AVERAGES, accelerator=accelerator
    )


def jax_task():
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from onepaper.jax.accelerator import Accelerator
    from onepaper.jax.custom_steps import CustomJaxTask, label_parameters

    accelerator = Accelerator(AcceleratorOptions("cpu", threads=1))

    class Towers(nnx.Module):
        def __init__(self, rngs):
            self.first, self.second = nnx.Linear(6, 4, rngs=rngs), nnx.Linear(5, 4, rngs=rngs)
            self.mean = nnx.Variable(jnp.zeros(4))

    def loss(model, batch, key):
        first, second = model.first(batch["first"]), model.second(batch["second"])
        first, second = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
        model.mean[...] = MOMENTUM * model.mean[...] + (1 - MOMENTUM) * jax.lax.stop_gradient(first.mean(0))
        logits = first @ second.T / 0.3
        correct = jnp.diag(jax.nn.log_softmax(logits, axis=1)) + jnp.diag(jax.nn.log_softmax(logits, axis=0))
        return -correct.sum(), len(first)

    directions = {
        "first": optax.trace(0.9),
        "second": optax.chain(optax.clip_by_global_norm(CLIP), optax.trace(0.9), optax.scale(RATE)),
    }
    direction = optax.multi_transform(directions, label_parameters({"second/": "second"}, "first"))
    return accelerator, CustomJaxTask(
        Towers, loss, OPTIMIZER, direction=direction, averages=AVERAGES, accelerator=accelerator
    )


def numbers(framework, task, state):
    """Every array of a state by name."""
    if framework == "torch":
        return {name: value.numpy() for name, value in task.tensors(state).items()}
    import jax

    from onepaper.jax.state_files import flatten

    arrays = {name: leaf for name, leaf in flatten(state.arrays).items() if not name.startswith(("key", "rest/rng"))}
    return {name.removesuffix("/value"): np.asarray(jax.device_get(leaf)) for name, leaf in arrays.items()}


def train(framework):
    """A few steps in this process; the task and its last state."""
    accelerator, task = {"torch": torch_task, "jax": jax_task}[framework]()
    sampler = BatchSampler(32, BATCH_SIZE, seed=1, rank=accelerator.rank, world=accelerator.world)

    def batches(step):
        chosen = sampler(step)
        return {"first": FIRST[chosen], "second": SECOND[chosen]}

    return task, fit(task, batches, LoopOptions(STEPS), processes=accelerator).state


if __name__ == "__main__":
    trained, last = train(sys.argv[1])
    if trained.accelerator.is_main:
        with Path(sys.argv[2]).open("wb") as file:
            np.savez(file, **numbers(sys.argv[1], trained, last))
    trained.accelerator.close()
