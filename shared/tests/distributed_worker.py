"""One process of a distributed training: `python distributed_worker.py torch|jax JOBS`, also used by one process alone.

JOBS is a JSON list of {"folder", "steps", "shards", "kill_at"}; the jobs run one after the other. The losses of every
step are in the folder's metrics.jsonl. With `kill_at` every process ends by SIGKILL after that step.
"""

import functools
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from onepaper.accelerator import AcceleratorOptions
from onepaper.data import BatchSampler
from onepaper.optimizer import OptimizerOptions
from onepaper.runs import Run
from onepaper.training import LoopOptions, fit, read_metrics

INPUTS = np.random.default_rng(0).normal(size=(48, 6)).astype(np.float32)
TARGETS = np.sin(INPUTS.sum(axis=1, keepdims=True)).astype(np.float32)
MASKS = (np.arange(48) % 5 > 1).astype(np.float32)  # weights differ between the processes
OPTIMIZER = OptimizerOptions(
    "adamw", lr=0.02, weight_decay=0.05, clip_norm=0.4, warmup_steps=3, ema_decay=0.9, accumulation=2
)


@functools.cache
def torch_task(shards):
    import torch
    from torch import nn

    from onepaper.torch.accelerator import Accelerator
    from onepaper.torch.steps import TorchTask

    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(6, 16)
            self.blocks = nn.ModuleList([nn.Linear(16, 16), nn.Linear(16, 16)])
            self.last = nn.Linear(16, 1)

        def features(self, x):  # the loss calls this, not forward
            x = torch.tanh(self.first(x))
            for block in self.blocks:
                x = x + torch.tanh(block(x))
            return x

    def loss(model, batch, generator):
        error = (model.last(model.features(batch["x"])) - batch["y"]).square()[:, 0] * batch["mask"]
        return error.sum(), batch["mask"].sum()

    accelerator = Accelerator(AcceleratorOptions("cpu", threads=1, shards=shards))
    return accelerator, TorchTask(Stack, loss, OPTIMIZER, accelerator=accelerator)


@functools.cache  # one compiled program for all jobs
def jax_task(shards):
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from onepaper.jax.accelerator import Accelerator
    from onepaper.jax.steps import JaxTask

    class Stack(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(6, 16, rngs=rngs)
            self.blocks = nnx.List([nnx.Linear(16, 16, rngs=rngs), nnx.Linear(16, 16, rngs=rngs)])
            self.dropout = nnx.Dropout(0.1, rngs=rngs)
            self.last = nnx.Linear(16, 1, rngs=rngs)

        def __call__(self, x):
            x = jnp.tanh(self.first(x))
            for block in self.blocks:
                x = x + jnp.tanh(block(x))
            return self.last(self.dropout(x))

    def loss(model, batch, key):
        noise = 0.1 * jax.random.normal(key, batch["y"].shape)
        error = jnp.square(model(batch["x"]) - batch["y"] + noise)[:, 0] * batch["mask"]
        return error.sum(), batch["mask"].sum()

    accelerator = Accelerator(AcceleratorOptions("cpu", threads=1, shards=shards))
    return accelerator, JaxTask(Stack, loss, OPTIMIZER, accelerator=accelerator)


def train(framework, folder, steps, shards=1, kill_at=None):
    """Train one job in this process; the result of `fit`."""
    accelerator, task = {"torch": torch_task, "jax": jax_task}[framework](shards)
    sampler = BatchSampler(48, 12, seed=1, rank=accelerator.rank, world=accelerator.world)

    def batches(step):
        chosen = sampler(step)
        return {"x": INPUTS[chosen], "y": TARGETS[chosen], "mask": MASKS[chosen]}

    def killing(step, state, row):
        if step == kill_at:
            accelerator.barrier()
            os.kill(os.getpid(), signal.SIGKILL)

    run = Run.open(Path(folder), paper="test", verb="train", config=None, seed=0, main_process=accelerator.is_main)
    with run:
        options = LoopOptions(steps, log_every=1, checkpoint_every=5)
        return task, fit(task, batches, options, run, hooks=[killing], processes=accelerator)


def losses(folder):
    """(loss, gradient norm) of every step in the log of a run."""
    return {row["step"]: (row["loss"], row["grad_norm"]) for row in read_metrics(Path(folder) / "metrics.jsonl")}


if __name__ == "__main__":
    tasks = [train(sys.argv[1], **job)[0] for job in json.loads(sys.argv[2])]
    for task in tasks:  # the first one started the process group
        task.accelerator.close()
