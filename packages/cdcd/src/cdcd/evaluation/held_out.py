"""Loss of the denoiser on held-out text: by noise level, and by which tokens are given."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from cdcd.diffusion.embeddings import add_noise
from cdcd.diffusion.masks import prefix_mask, random_mask
from cdcd.models.denoiser import CategoricalDiffusion

# Above this part of the loss at t_max, the loss at t_min is too high for the time warping, which is 0 there.
LARGEST_LOSS_AT_T_MIN = 0.05


def denoising_nats(
    model: CategoricalDiffusion,
    tokens: Int[Array, "batch length"],
    mask: Bool[Array, "batch length"],
    t: Float[Array, " batch"],
    key: PRNGKeyArray,
    shows_given: Bool[Array, " batch"] | None = None,
) -> Float[Array, "batch length"]:
    """Cross-entropy at noisy positions, 0 at given ones; with self-conditioning after a first evaluation.

    Args:
        model: the network.
        tokens: true tokens.
        mask: true where they are noisy.
        t: noise level of each sequence.
        key: of the noise.
        shows_given: whether each sequence shows its given tokens; None: all do.
    """
    embeddings = model.embeddings()
    embedded = embeddings[tokens]
    x = add_noise(key, embedded, t)
    condition = jnp.where(mask[..., None], 0.0, embedded)
    if shows_given is not None:
        condition = condition * shows_given[:, None, None]
    prediction = jnp.zeros_like(x)
    if model.config.self_conditioning:
        prediction = model.predict(model.hidden(x, t, mask, condition, prediction), embeddings)
    return jnp.where(mask, model.nats(model.hidden(x, t, mask, condition, prediction), tokens), 0.0)


def loss_by_level(
    model: CategoricalDiffusion,
    windows: Int[np.ndarray, "count length"],
    levels: Float[np.ndarray, " levels"],
    *,
    seed: int = 0,
) -> Float[np.ndarray, " levels"]:
    """Mean cross-entropy of windows at each noise level, when nothing is given."""
    graph, state = nnx.split(model)
    mask = np.ones(windows.shape, bool)
    found = [_nats(graph, state, windows, mask, np.full(len(windows), t, np.float32), seed) for t in levels]
    return np.array([float(nats.mean()) for nats in found])


def nats_by_mask(
    model: CategoricalDiffusion, windows: Int[np.ndarray, "count length"], *, seed: int = 0
) -> dict[str, Float[np.ndarray, " count"]]:
    """Mean cross-entropy of the noisy tokens of each window, by where the given half is.

    In front (prefix), behind (suffix), on both sides (middle), anywhere (random), or nowhere (nothing). Noise levels
    are drawn through the time warping, the same for each mask.
    """
    graph, state = nnx.split(model)
    count, length = windows.shape
    half = jnp.full(count, length // 2)
    prefix = np.asarray(prefix_mask(half, length))
    masks = {
        "prefix": prefix,
        "suffix": prefix[:, ::-1],
        "middle": np.roll(prefix, -(length // 4), axis=1),
        "random": np.asarray(random_mask(jax.random.key(seed), half, length)),
        "nothing": np.ones_like(prefix),
    }
    t = np.asarray(model.warp.averaged().inverse((jnp.arange(count) + 0.5) / count))
    return {
        name: np.asarray(_nats(graph, state, windows, mask, t, seed).sum(axis=1)) / mask.sum(axis=1)
        for name, mask in masks.items()
    }


def evaluate_held_out(model: CategoricalDiffusion, windows: Int[np.ndarray, "count length"]) -> dict[str, float]:
    """Loss through the time warping by where half of the tokens are given, and at both ends of the range without any.

    `t_min_share` is the loss at t_min divided by that at t_max; above 0.05 the range begins at too high a level.
    """
    warp = model.config.warp
    low, high = loss_by_level(model, windows, np.array([warp.t_min, warp.t_max]))
    by_mask = {name: float(nats.mean()) for name, nats in nats_by_mask(model, windows).items()}
    found = {f"nats_{name}": value for name, value in by_mask.items()}
    return found | {"nats_t_min": low, "nats_t_max": high, "t_min_share": low / max(high, 1e-9)}


@functools.partial(jax.jit, static_argnums=0)
def _nats(graph: Any, state: Any, tokens: Any, mask: Any, t: Any, seed: Any) -> Any:
    return denoising_nats(nnx.merge(graph, state), tokens, mask, t, jax.random.key(seed))
