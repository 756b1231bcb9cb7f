"""Positions of patches: rotary embeddings along two axes (Su et al., 2021), or a fixed table of sines and cosines."""

import torch
from jaxtyping import Float
from onepaper.errors import UsageError
from torch import Tensor

BASE = 10_000.0


def frequency_features(values: Float[Tensor, " n"], dim: int) -> Float[Tensor, "n dim"]:
    """Cosines and sines of `values` at `dim / 2` frequencies from 1 to 1 / 10,000: cosines first."""
    rates = BASE ** (-torch.arange(dim // 2, device=values.device, dtype=torch.float32) / (dim // 2))
    angles = values.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def rotary_angles(height: int, width: int, text_length: int, head_dim: int) -> Float[Tensor, "length half"]:
    """Angles of text tokens and of patches: half of the frequencies for rows, half for columns.

    A text token has its index as its row and column with negative sign, so that it is at no patch's place.
    """
    rates = BASE ** (-torch.arange(head_dim // 4, dtype=torch.float32) / (head_dim // 4))
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    text = -torch.arange(1, text_length + 1)
    row = torch.cat([text, rows]).float()[:, None] * rates
    column = torch.cat([text, columns]).float()[:, None] * rates
    return torch.cat([row, column], dim=1)


def apply_rotary(
    x: Float[Tensor, "batch heads length dim"], angles: Float[Tensor, "length half"]
) -> Float[Tensor, "batch heads length dim"]:
    """Rotate the pairs (x_i, x_{i + dim/2}) of each position by its angles."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def position_table(side: int, height: int, width: int, dim: int) -> Float[Tensor, "length dim"]:
    """Sines and cosines of columns and rows, for the centre of a table of `side` by `side` positions.

    Each axis has `dim / 2` features, sines first, as in the public implementations of Esser et al. (2024).
    """
    top, left = (side - height) // 2, (side - width) // 2
    rows = torch.arange(top, top + height).repeat_interleave(width)
    columns = torch.arange(left, left + width).repeat(height)
    parts = []
    for values in (columns, rows):
        cos, sin = frequency_features(values, dim // 2).chunk(2, dim=1)
        parts += [sin, cos]
    return torch.cat(parts, dim=1)


def centre(table: Float[Tensor, "side side dim"], height: int, width: int) -> Float[Tensor, "length dim"]:
    """The centre of a table of positions.

    Raises:
        UsageError: the table is smaller.
    """
    side = len(table)
    if max(height, width) > side:
        raise UsageError(f"the picture has {height} x {width} tokens, expected at most {side}, the side of the table")
    top, left = (side - height) // 2, (side - width) // 2
    return table[top : top + height, left : left + width].flatten(0, 1)


def spanned_table(span: int, height: int, width: int, dim: int) -> Float[Tensor, "length dim"]:
    """As `position_table`, of rows and columns from 0 that span the same distance for any number of them."""
    parts = []
    rows = (torch.arange(height) * (span / height)).repeat_interleave(width)
    columns = (torch.arange(width) * (span / width)).repeat(height)
    for values in (columns, rows):
        cos, sin = frequency_features(values, dim // 2).chunk(2, dim=1)
        parts += [sin, cos]
    return torch.cat(parts, dim=1)


def padded_angles(height: int, width: int, text_length: int, head_dim: int) -> Float[Tensor, "length half"]:
    """Angles of FLUX: an eighth of a head for a third axis, on which all is at 0, and the rest for rows and columns.

    Text tokens are at 0 on all axes.
    """
    axis = 7 * head_dim // 16
    rates = BASE ** (-torch.arange(axis // 2, dtype=torch.float32) / (axis // 2))
    rows = torch.arange(height).repeat_interleave(width)[:, None] * rates
    columns = torch.arange(width).repeat(height)[:, None] * rates
    image = torch.cat([rows.new_zeros(len(rows), head_dim // 16), rows, columns], dim=1)
    return torch.cat([image.new_zeros(text_length, image.shape[1]), image])
