"""Transformer layers: pre-normalised, gated residual branches, several feed-forward layers for each attention layer.

Axes: B batch, L positions of a sequence, M tokens of the encoder, D width, H heads.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

MLP_RATIO = 4


class KeyValues:
    """Keys and values of one attention layer while a sequence is sampled, in memory that is allocated once.

    Args:
        length: longest sequence.
    """

    def __init__(self, length: int) -> None:
        self.length, self.used = length, 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values [B, H, used, D / H] after adding those of the next positions."""
        if self._keys is None or self._values is None:
            shape = (*keys.shape[:2], self.length, keys.shape[3])
            self._keys, self._values = keys.new_empty(shape), values.new_empty(shape)
        begin, self.used = self.used, self.used + keys.shape[2]
        self._keys[:, :, begin : self.used], self._values[:, :, begin : self.used] = keys, values
        return self._keys[:, :, : self.used], self._values[:, :, : self.used]


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself or, with `memory`, to other tokens.

    Args:
        dim: D.
        heads: H.
        dropout: of the attention weights.
        causal: each position attends to itself and those before it.
    """

    def __init__(self, dim: int, heads: int, dropout: float, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout, self.causal = heads, dropout, causal
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def project(self, memory: Float[Tensor, "batch tokens dim"]) -> tuple[Tensor, Tensor]:
        """Keys and values of tokens."""
        keys, values = rearrange(self.key_value(memory), "b m (two h d) -> two b h m d", two=2, h=self.heads)
        return keys, values

    def forward(
        self,
        x: Float[Tensor, "batch length dim"],
        memory: tuple[Tensor, Tensor] | None = None,
        cache: KeyValues | None = None,
    ) -> Float[Tensor, "batch length dim"]:
        """Attend to `memory`, keys and values made by `project`, or to the sequence and what `cache` holds of it."""
        query = rearrange(self.query(x), "b l (h d) -> b h l d", h=self.heads)
        keys, values = self.project(x) if memory is None else memory
        if cache is not None:
            keys, values = cache.append(keys, values)
        # A single new position attends to all of the cache; several ones are only ever the first.
        causal = self.causal and x.shape[1] > 1
        mixed = F.scaled_dot_product_attention(
            query, keys, values, is_causal=causal, dropout_p=self.dropout if self.training else 0.0
        )
        return self.out(rearrange(mixed, "b h l d -> b l (h d)"))


class Residual(nn.Module):
    r"""$x + \alpha\, f(\mathrm{LN}(x))$, where $\alpha$ starts at 0 with ReZero (Bachlechner et al., 2020), or is 1."""

    def __init__(self, dim: int, branch: nn.Module, dropout: float, *, rezero: bool) -> None:
        super().__init__()
        self.norm, self.branch, self.dropout = nn.LayerNorm(dim), branch, nn.Dropout(dropout)
        self.gate = nn.Parameter(torch.zeros(1)) if rezero else None  # FSDP shards no scalars

    def forward(self, x: Tensor, *inputs: object) -> Tensor:
        """Add the branch."""
        added = self.dropout(self.branch(self.norm(x), *inputs))
        return x + (added if self.gate is None else self.gate * added)


class Block(nn.Module):
    """One attention layer, in decoders also one to the encoder's tokens, and several feed-forward layers.

    With more feed-forward than attention layers this is the PAR Transformer (Mandava et al., 2020).
    """

    def __init__(
        self, dim: int, heads: int, feed_forwards: int, dropout: float, *, rezero: bool, decoder: bool
    ) -> None:
        super().__init__()
        self.attention = Residual(dim, Attention(dim, heads, dropout, causal=decoder), dropout, rezero=rezero)
        self.cross = Residual(dim, Attention(dim, heads, dropout), dropout, rezero=rezero) if decoder else None
        self.feed_forward = nn.Sequential(
            *(
                Residual(
                    dim,
                    nn.Sequential(nn.Linear(dim, MLP_RATIO * dim), nn.GELU(), nn.Linear(MLP_RATIO * dim, dim)),
                    dropout,
                    rezero=rezero,
                )
                for _ in range(feed_forwards)
            )
        )

    def memory(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the encoder's tokens for this block."""
        assert self.cross is not None
        assert isinstance(self.cross.branch, Attention)
        return self.cross.branch.project(tokens)

    def forward(self, x: Tensor, memory: tuple[Tensor, Tensor] | None = None, cache: KeyValues | None = None) -> Tensor:
        """[B, L, D] to [B, L, D]."""
        x = self.attention(x, None, cache)
        if self.cross is not None:
            x = self.cross(x, memory)
        return self.feed_forward(x)


class Stack(nn.Module):
    """Blocks in sequence.

    Args:
        feed_forwards: number of feed-forward layers of each block.
    """

    def __init__(
        self, dim: int, heads: int, feed_forwards: Sequence[int], dropout: float, *, rezero: bool, decoder: bool
    ) -> None:
        super().__init__()
        # A sequence and not a list: FSDP gathers the modules of a list in their own forward pass only, and the keys of
        # the memory are computed outside of it.
        self.blocks = nn.Sequential(
            *(Block(dim, heads, count, dropout, rezero=rezero, decoder=decoder) for count in feed_forwards)
        )

    def memories(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the encoder's tokens for all blocks."""
        return [block.memory(tokens) for block in self.blocks]  # type: ignore[operator]

    def forward(
        self,
        x: Tensor,
        memories: Sequence[tuple[Tensor, Tensor]] | None = None,
        caches: Sequence[KeyValues] | None = None,
    ) -> Tensor:
        """[B, L, D] to [B, L, D]; memories and caches are one for each block."""
        for index, block in enumerate(self.blocks):
            x = block(x, memories[index] if memories else None, caches[index] if caches else None)
        return x
