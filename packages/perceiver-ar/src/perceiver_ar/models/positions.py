"""Where inputs and latents are: numbers, sinusoids, rotations of a part of the channels, coordinates of images.

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


def input_numbers(lengths: Int[Array, " batch"], tokens: int, numbering: Numbering) -> Int[Array, "batch {tokens}"]:
    r"""The number of each input, section 3: position $m + 1$ from the start, or $\pm (T - 1 - m)$ from the last input.

    Args:
        lengths: T, inputs of each example without padding.
        tokens: inputs of each example with padding; the numbers of padding mean nothing.
        numbering: as in `ModelConfig`.
    """
    places = jnp.broadcast_to(jnp.arange(tokens), (len(lengths), tokens))
    if numbering == "data":
        return places + 1
    from_end = jnp.maximum(lengths[:, None] - 1 - places, 0)
    return from_end if numbering == "terminal" else -from_end


def latent_places(lengths: Int[Array, " batch"], num_latents: int) -> Int[Array, "batch {num_latents}"]:
    r"""$p_j = \max(T - N + j, -1)$, the input at which latent j sits; it predicts the token after that input.

    -1 stands for a latent that falls before the start, where an example is shorter than the latents.
    """
    return jnp.maximum(lengths[:, None] - num_latents + jnp.arange(num_latents), -1)


def sinusoids(numbers: Int[Array, "*batch"], width: int) -> Float[Array, "*batch {width}"]:
    r"""$\sin(p\, w_i)$ in the first half of the channels, $\cos(p\, w_i)$ in the second, section 3.

    $w_i = 10^{-4 i / (S/2 - 1)}$ for $0 \le i < S/2$ with the width S. Computed where they are needed: a table for
    131,072 positions of 1024 channels would take half a gigabyte.
    """
    half = width // 2
    rates = jnp.exp(-jnp.arange(half) * (np.log(1e4) / (half - 1)))
    angles = numbers[..., None] * rates
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def fourier_features(numbers: Int[Array, "*batch"], size: int, width: int) -> Float[Array, "*batch {width}"]:
    r"""$\sin(\pi f_k p)$ in the first half of the channels, $\cos(\pi f_k p)$ in the second, section 3.

    $p = 2 i / (S - 1) - 1$ places the S numbers of an axis evenly on [-1, 1]; the width / 2 frequencies $f_k$ go in
    even steps from 1 to S / 2, the highest that S samples can show.
    """
    places = 2 * numbers / (size - 1) - 1
    angles = np.pi * places[..., None] * jnp.linspace(1.0, size / 2, width // 2)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def rotary_angles(
    numbers: Int[Array, "batch tokens"], channels: int, fraction: float, max_wavelength: float, style: RotaryStyle
) -> Float[Array, "batch tokens pairs"]:
    r"""The angle $p / W^{e_k}$ by which pair k turns at position p, section 3 and the official code.

    The first $r = 2 \lfloor d f / 2 \rfloor$ of d channels turn. "official": the exponents $e_k$ go in r/2 even steps
    from 0 to exactly 1 (0 where there is one pair); else $e_k = 2k/r$, one step short of 1.
    """
    pairs = int(channels * fraction / 2)
    if style == "official":
        exponents = np.linspace(0.0, 1.0, pairs)
    else:
        exponents = np.arange(pairs) / pairs
    return numbers[..., None] / jnp.asarray(max_wavelength**exponents, jnp.float32)


def rotate(
    x: Shaped[Array, "batch tokens heads channels"],
    angles: Float[Array, "batch tokens pairs"],
    style: RotaryStyle,
    heads: int | None = None,
) -> Shaped[Array, "batch tokens heads channels"]:
    r"""Turn the first channels of each head, or of the first `heads` of them, by their angles.

    $(x, y) \mapsto (x \cos\theta - y \sin\theta,\ y \cos\theta + x \sin\theta)$ for each pair of channels (x, y).
    Pairs are neighbours, (0, 1), (2, 3), ...; with the style "half" they are (i, i + r/2). The other channels pass.
    The products of turned queries and keys depend on differences of positions only.
    """
    if heads is not None and heads < x.shape[2]:
        return jnp.concatenate([rotate(x[:, :, :heads], angles, style), x[:, :, heads:]], axis=2)
    turning = 2 * angles.shape[-1]
    first, passing = x[..., :turning].astype(jnp.float32), x[..., turning:]
    layout = "b t h (two k) -> two b t h k" if style == "half" else "b t h (k two) -> two b t h k"
    even, odd = rearrange(first, layout, two=2)
    cosine, sine = jnp.cos(angles)[:, :, None], jnp.sin(angles)[:, :, None]
    turned = jnp.stack([even * cosine - odd * sine, odd * cosine + even * sine])
    back = "two b t h k -> b t h (two k)" if style == "half" else "two b t h k -> b t h (k two)"
    return jnp.concatenate([rearrange(turned, back).astype(x.dtype), passing], axis=-1)


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
