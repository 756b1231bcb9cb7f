"""Claims on training steps: the cost of self-conditioning, and the noise of gradients by the shape of a batch."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from onepaper.claims import ClaimContext, Evidence, Measurement
from onepaper.jax.custom_steps import CustomJaxTask

from cdcd.config import ExperimentConfig
from cdcd.data.corpus import window_batches
from cdcd.experiments.shipped import setting
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.presets import PRESETS
from cdcd.training import make_direction, make_loss

PRESET = "laptop"

# Steps that are timed in a row, and how often both kinds alternate.
TIMED_STEPS, ROUNDS = 3, 7

# Sequences and lengths of batches of as many tokens.
SHAPES = ((256, 8), (64, 32))

# Batches whose gradients are compared.
GRADIENTS = 24


def cost_of_self_conditioning(context: ClaimContext) -> Evidence:
    """Time of a compiled training step with self-conditioning divided by that without, in turns."""
    config = PRESETS[PRESET].config
    steps = [_timed_step(replace(config, model=replace(config.model, self_conditioning=on))) for on in (True, False)]
    ratios = {}
    for seed in context.seeds:
        seconds = [[step() for step in steps] for _ in range(ROUNDS)]
        ratios[seed] = float(np.median([with_it / without for with_it, without in seconds]))
    return Evidence("", [Measurement.over_seeds("time with over without", ratios)])


def _timed_step(config: ExperimentConfig) -> Callable[[], float]:
    """A function that makes a few steps and returns their seconds."""
    task = CustomJaxTask(
        lambda rngs: CategoricalDiffusion(config.model, rngs),
        make_loss(config),
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
    )
    tokens = np.random.default_rng(0).integers(
        0, config.model.vocab_size, (config.batch_size, config.model.length), dtype=np.int32
    )
    state = jax.block_until_ready(task.step(task.init(0), tokens)[0].arrays)
    current = [replace(task.init(0), arrays=state)]

    def run() -> float:
        begun = time.perf_counter()
        for _ in range(TIMED_STEPS):
            current[0] = task.step(current[0], tokens)[0]
        jax.block_until_ready(current[0].arrays)
        return time.perf_counter() - begun

    return run


def gradient_noise(context: ClaimContext) -> Evidence:
    """Total variance of the gradient of batches of equal numbers of tokens.

    The noise level and the mask are drawn for each sequence, so that fewer sequences give noisier gradients.
    """
    found = setting()
    config: ExperimentConfig = PRESETS[PRESET].config
    graph, params, rest = nnx.split(found.model, nnx.Param, ...)

    @jax.jit
    def gradient(params: Any, tokens: Any, key: Any) -> Any:
        def loss(params: Any) -> Any:
            total, weight, _ = make_loss(config)(nnx.merge(graph, params, rest, copy=True), tokens, key)
            return total / weight

        # Without the time warping, whose loss is apart.
        leaves = jax.tree_util.tree_leaves_with_path(jax.grad(loss)(params))
        return jnp.concatenate([leaf.reshape(-1) for path, leaf in leaves if "warp" not in jax.tree_util.keystr(path)])

    measured = []
    for sequences, length in SHAPES:
        noise = {}
        for seed in context.seeds:
            batches = window_batches(found.corpus.train, length, sequences, seed=seed)
            keys = jax.random.split(jax.random.key(seed), GRADIENTS)
            rows = np.stack([gradient(params, batches(number), key) for number, key in enumerate(keys)])
            noise[seed] = float(rows.var(axis=0, ddof=1).sum())
        measured.append(Measurement.over_seeds(f"variance, {sequences} sequences of {length}", noise))
    return Evidence("", measured)
