"""Models on held-out text: the denoising curve, and the loss of masked models."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from sed.models.denoiser import EmbeddingDiffusion, add_start_noise
from sed.models.masked import MaskedLM, mask_tokens

# Parts of T at which the denoising curve is evaluated in training.
CURVE_POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def denoising_curve(
    model: EmbeddingDiffusion,
    windows: Int[np.ndarray, "count length"],
    steps: Int[np.ndarray, " steps"],
    *,
    given: Bool[np.ndarray, "count length"] | None = None,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, " steps"]]:
    """Error and accuracy of one estimate by the step t, without and with the network's own estimate.

    `mse` and `mse_self` are mean squared errors of a coordinate, `accuracy` and `accuracy_self` fractions of tokens
    that the readout finds, all at positions that are not given.

    Args:
        model: the network.
        windows: true tokens.
        steps: t, from 1 to T.
        given: true where a token is given; None: nowhere.
        seed: of the noise.
    """
    graph, state = nnx.split(model)
    given = np.zeros(windows.shape, bool) if given is None else given
    rows = [_denoise(graph, state, windows, given, np.int32(t), seed) for t in steps]
    names = ("mse", "mse_self", "accuracy", "accuracy_self")
    return {name: np.array([float(row[number]) for row in rows]) for number, name in enumerate(names)}


@functools.partial(jax.jit, static_argnums=0)
def _denoise(graph: Any, state: Any, tokens: Array, given: Array, step: Array, seed: Array) -> tuple[Array, ...]:
    model: EmbeddingDiffusion = nnx.merge(graph, state)
    table = model.table[...]
    key_start, key_noise = jax.random.split(jax.random.key(seed))
    x_0 = add_start_noise(table, tokens, key_start, model.config.schedule.sigma_0)
    t = jnp.full(len(tokens), step)
    x_t = model.schedule.q_sample(x_0, t[:, None], jax.random.normal(key_noise, x_0.shape))
    cond = jnp.where(given[..., None], table[tokens], 0.0)
    offset_keys = model.offset_keys()
    first = model(x_t, cond, given, jnp.zeros_like(x_0), t, offset_keys)
    second = model(x_t, cond, given, first, t, offset_keys)

    def mean(values: Array) -> Array:
        return jnp.where(given, 0.0, values).sum() / jnp.maximum((~given).sum(), 1)

    found = (first, second)
    return (
        *(mean(jnp.square(x - x_0).mean(axis=-1)) for x in found),
        *(mean(model.decode(x) == tokens) for x in found),
    )


def evaluate_denoising(model: EmbeddingDiffusion, windows: Int[np.ndarray, "count length"]) -> dict[str, float]:
    """The denoising curve at a few steps, as numbers to log: `mse_50`, `accuracy_self_90`, ... by per cent of T."""
    steps = np.maximum(1, np.round(np.array(CURVE_POINTS) * model.config.schedule.steps)).astype(int)
    curve = denoising_curve(model, windows, steps)
    return {
        f"{name}_{100 * part:.0f}": float(value)
        for name, values in curve.items()
        for part, value in zip(CURVE_POINTS, values, strict=True)
    }


def masked_nats(model: MaskedLM, windows: Int[np.ndarray, "count length"], *, seed: int = 0) -> float:
    """Cross-entropy of masked tokens of held-out text."""
    graph, state = nnx.split(model)
    return float(_masked_nats(graph, state, windows, seed))


@functools.partial(jax.jit, static_argnums=0)
def _masked_nats(graph: Any, state: Any, tokens: Array, seed: Array) -> Array:
    model: MaskedLM = nnx.merge(graph, state)
    masked = mask_tokens(jax.random.key(seed), tokens, model.config.vocab_size, model.config.mask_rate)
    return model.nats(masked, tokens).mean()
