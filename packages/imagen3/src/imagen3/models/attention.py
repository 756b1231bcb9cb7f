"""Attention of short sequences on a CPU, and torch's own elsewhere."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

# Up to this many positions, all weights of a head fit the caches of a processor.
SHORT = 512


def attend(
    q: Float[Tensor, "batch heads length dim"],
    k: Float[Tensor, "batch heads length dim"],
    v: Float[Tensor, "batch heads length dim"],
    mask: Bool[Tensor, "batch 1 1 length"] | None = None,
) -> Float[Tensor, "batch heads length dim"]:
    r"""$\mathrm{softmax}(q k^\top / \sqrt{d})\, v$ over the positions where `mask` is True.

    On a CPU, short sequences are products of matrices: with forward and backward together, that is four times as fast
    as torch's kernel in bfloat16 and a little faster in float32 (88 positions, heads of 32, one thread).
    """
    if q.device.type != "cpu" or q.shape[2] > SHORT:
        return F.scaled_dot_product_attention(q, k, v, mask)
    batch, heads, length, dim = q.shape
    bias = q.new_zeros(1, 1, 1, length) if mask is None else q.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
    bias = bias.expand(batch, heads, 1, length).reshape(batch * heads, 1, length)
    weights = torch.baddbmm(bias, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=dim**-0.5).softmax(dim=-1)
    return (weights.to(v.dtype) @ v.flatten(0, 1)).unflatten(0, (batch, heads))
