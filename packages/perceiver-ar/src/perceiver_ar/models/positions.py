"""Positions of inputs and latents: indices, sinusoids, Fourier features and partial rotary embeddings.

Axes: B batch, T tokens, H heads, d channels of a head.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float, Int, Shaped
from onepaper.errors import UsageError

Numbering = Literal["data", "terminal", "negative-terminal"]


RotaryStyle = Literal["official", "standard", "half"]


def make_position_ids(lengths: Int[Array, " batch"], tokens: int, numbering: Numbering) -> Int[Array, "batch {tokens}"]:
    r"""Position of each input: $m + 1$ from the start, or $\pm (T - 1 - m)$ from the last input.

    Official code, perceiver_ar_model.py, `make_positions_terminal_relative`.

    Args:
        lengths: T, inputs of each example without padding.
        tokens: inputs of each example with padding; positions of padding have no meaning.
        numbering: as in `ModelConfig`.
    """
    input_indices = jnp.broadcast_to(jnp.arange(tokens), (len(lengths), tokens))
    if numbering == "data":
        return input_indices + 1
    from_end = jnp.maximum(lengths[:, None] - 1 - input_indices, 0)
    return from_end if numbering == "terminal" else -from_end


def latent_indices(lengths: Int[Array, " batch"], num_latents: int) -> Int[Array, "batch {num_latents}"]:
    r"""$p_j = \max(T - N + j, -1)$, the index of the input of latent j, which predicts the token after that input.

    -1 marks a latent before the start, where an example has fewer inputs than latents (official code,
    perceiver_ar_model.py).
    """
    return jnp.maximum(lengths[:, None] - num_latents + jnp.arange(num_latents), -1)


def sinusoids(position_ids: Int[Array, "*batch"], width: int) -> Float[Array, "*batch {width}"]:
    r"""$\sin(p\, w_i)$ in the first half of the channels, $\cos(p\, w_i)$ in the second.

    Official code, perceiver_ar_model.py. $w_i = 10^{-4 i / (S/2 - 1)}$ for $0 \le i < S/2$ and width S. Computed when
    needed: a table for 131,072 positions of 1024 channels would take half a gigabyte.
    """
    half = width // 2
    rates = jnp.exp(-jnp.arange(half) * (np.log(1e4) / (half - 1)))
    angles = position_ids[..., None] * rates
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def fourier_features(position_ids: Int[Array, "*batch"], size: int, width: int) -> Float[Array, "*batch {width}"]:
    r"""$\sin(\pi f_k p)$ in the first half of the channels, $\cos(\pi f_k p)$ in the second.

    Official code, perceiver_ar_model.py. $p = 2 i / (S - 1) - 1$ maps the S positions of an axis to [-1, 1]; the
    width / 2 frequencies $f_k$ are evenly spaced from 1 to S / 2, the Nyquist frequency of S samples.
    """
    input_indices = 2 * position_ids / (size - 1) - 1
    angles = np.pi * input_indices[..., None] * jnp.linspace(1.0, size / 2, width // 2)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def rotary_angles(
    position_ids: Int[Array, "batch tokens"], channels: int, fraction: float, max_wavelength: float, style: RotaryStyle
) -> Float[Array, "batch tokens pairs"]:
    r"""Rotation angle $p / W^{e_k}$ of channel pair k at position p (paper, rotary positions).

    The first $r = 2 \lfloor d f / 2 \rfloor$ of d channels are rotated. "official" (official code,
    perceiver_ar_model.py): r/2 evenly spaced exponents $e_k$ from 0 to exactly 1 (0 for a single pair); otherwise
    $e_k = 2k/r$, one step short of 1.
    """
    pairs = int(channels * fraction / 2)
    if style == "official":
        exponents = np.linspace(0.0, 1.0, pairs)
    else:
        exponents = np.arange(pairs) / pairs
    return position_ids[..., None] / jnp.asarray(max_wavelength**exponents, jnp.float32)


def rotate(
    x: Shaped[Array, "batch tokens heads channels"],
    angles: Float[Array, "batch tokens pairs"],
    style: RotaryStyle,
    heads: int | None = None,
) -> Shaped[Array, "batch tokens heads channels"]:
    r"""Rotate the first channels of each head, or of the first `heads` heads, by their angles.

    $(x, y) \mapsto (x \cos\theta - y \sin\theta,\ y \cos\theta + x \sin\theta)$ for each pair of channels (x, y).
    Pairs are (0, 1), (2, 3), ...; with the style "half" they are (i, i + r/2). The other channels are unchanged.
    Products of rotated queries and keys depend on differences of positions only.
    """
    if heads is not None and heads < x.shape[2]:
        return jnp.concatenate([rotate(x[:, :, :heads], angles, style), x[:, :, heads:]], axis=2)
    rotated_width = 2 * angles.shape[-1]
    first, unrotated = x[..., :rotated_width].astype(jnp.float32), x[..., rotated_width:]
    layout = "b t h (two k) -> two b t h k" if style == "half" else "b t h (k two) -> two b t h k"
    even, odd = rearrange(first, layout, two=2)
    cosine, sine = jnp.cos(angles)[:, :, None], jnp.sin(angles)[:, :, None]
    rotated = jnp.stack([even * cosine - odd * sine, odd * cosine + even * sine])
    back = "two b t h k -> b t h (two k)" if style == "half" else "two b t h k -> b t h (k two)"
    return jnp.concatenate([rearrange(rotated, back).astype(x.dtype), unrotated], axis=-1)


def check_coordinates(coordinates: np.ndarray, sizes: tuple[int, ...]) -> None:
    """Raise `UsageError` unless concrete coordinates, [..., axes], lie inside their tables."""
    if coordinates.shape[-1] != len(sizes):
        raise UsageError(f"coordinates have {coordinates.shape[-1]} axes, expected {len(sizes)}, one for each table")
    for axis, size in enumerate(sizes):
        values = coordinates[..., axis]
        if values.size and not (values.min() >= 0 and values.max() < size):
            raise UsageError(
                f"coordinates of axis {axis} go from {values.min()} to {values.max()}, expected 0 to {size - 1}"
            )
