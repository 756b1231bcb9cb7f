"""What joint training does to embeddings: under a squared error, and under cross-entropy with and without a norm."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot
from onepaper.display.plots import lines

from cdcd.diffusion.embeddings import add_noise, normalize, scale_input

# Tokens, channels, width of the network, and range of noise levels.
VOCAB_SIZE, EMBED_DIM, WIDTH, LEVELS = 64, 16, 128, (0.1, 10.0)

STEPS, BATCH, RATE = 4000, 256, 3e-3

# Steps between two measurements of the embeddings.
EVERY = 100

LOSSES = ("squared error", "cross-entropy", "cross-entropy, normalised")


def collapse(context: ClaimContext) -> Evidence:
    """Distances and norms of embeddings of independent tokens over a training, by the loss."""
    found = {loss: {seed: _train(loss, seed) for seed in context.seeds} for loss in LOSSES}

    def measure(name: str, loss: str, column: int, at: int, to: int) -> Measurement:
        return Measurement.over_seeds(
            f"{name}, {loss}", {seed: float(rows[to, column] / rows[at, column]) for seed, rows in found[loss].items()}
        )

    last_quarter = -1 - STEPS // EVERY // 4
    measured = [
        *(measure("distance at the end over that at the start", loss, 0, 0, -1) for loss in LOSSES),
        *(measure("norm at the end over that at the start", loss, 1, 0, -1) for loss in LOSSES),
        measure("norm at the end over that a quarter before", LOSSES[1], 1, last_quarter, -1),
    ]
    steps = np.arange(STEPS // EVERY + 1) * EVERY
    curves = {loss: (steps, found[loss][context.seeds[0]][:, 0]) for loss in LOSSES}
    figure = lines(curves, "step", "mean distance of two embeddings", log_y=True)
    return Evidence("", measured, [Plot("Distances of embeddings", figure)])


def _train(loss: str, seed: int) -> Float[np.ndarray, "times 2"]:
    """Mean distance and mean norm of the embeddings, before the training and every `EVERY` steps."""
    keys = jax.random.split(jax.random.key(seed), 4)
    outputs = EMBED_DIM if loss == LOSSES[0] else VOCAB_SIZE
    params = {
        "embed": jax.random.normal(keys[0], (VOCAB_SIZE, EMBED_DIM)),
        "first": jax.random.normal(keys[1], (EMBED_DIM + 1, WIDTH)) * (EMBED_DIM + 1) ** -0.5,
        "second": jax.random.normal(keys[2], (WIDTH, outputs)) * WIDTH**-0.5,
    }
    rows = _fit(loss, params, keys[3])
    return np.asarray(rows)


@functools.partial(jax.jit, static_argnums=0)
def _fit(loss: str, params: dict[str, Array], key: Array) -> Array:
    optimizer = optax.adam(RATE)

    def embeddings(params: dict[str, Array]) -> Array:
        return normalize(params["embed"]) if loss == LOSSES[2] else params["embed"]

    def value(params: dict[str, Array], key: Array) -> Array:
        key_tokens, key_level, key_noise = jax.random.split(key, 3)
        tokens = jax.random.randint(key_tokens, (BATCH, 1), 0, VOCAB_SIZE)
        low, high = np.log(LEVELS)
        t = jnp.exp(jax.random.uniform(key_level, (BATCH,), minval=low, maxval=high))
        target = embeddings(params)[tokens]
        x = scale_input(add_noise(key_noise, target, t), t)
        hidden = jnp.concatenate([x, jnp.log(t)[:, None, None]], axis=-1) @ params["first"]
        output = jax.nn.gelu(hidden) @ params["second"]
        if loss == LOSSES[0]:
            return jnp.square(output - target).mean()
        return optax.softmax_cross_entropy_with_integer_labels(output, tokens).mean()

    def step(carry: Any, key: Array) -> tuple[Any, None]:
        params, state = carry
        updates, state = optimizer.update(jax.grad(value)(params, key), state)
        return (optax.apply_updates(params, updates), state), None

    def measure(params: dict[str, Array]) -> Array:
        table = embeddings(params)
        distances = jnp.sqrt(jnp.square(table[:, None] - table).sum(axis=-1))
        mean = distances.sum() / (VOCAB_SIZE * (VOCAB_SIZE - 1))
        return jnp.stack([mean, jnp.linalg.norm(table, axis=-1).mean()])

    def part(carry: Any, keys: Array) -> tuple[Any, Array]:
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, measure(carry[0])

    keys = jax.random.split(key, (STEPS // EVERY, EVERY))
    _, rows = jax.lax.scan(part, (params, optimizer.init(params)), keys)
    return jnp.concatenate([measure(params)[None], rows])
