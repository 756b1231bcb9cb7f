"""A causal Transformer over tokens of any kind, from the layers of the network, for baselines."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dct_transformer.models.layers import MLP_RATIO, Attention, KeyValues, Residual

_LONGEST_WAVE = 10_000


class TokenModel(nn.Module):
    r"""$p(x_1, ..., x_L) = \prod_l p(x_l | x_{<l})$ with fixed sinusoidal positions, so that L has no limit.

    Args:
        vocabulary: number of tokens.
        dim: width.
        heads: of attention.
        layers: attention layers, each followed by a feed-forward layer.
        dropout: of the branches. Attention weights have none, as fused attention on CPUs has none.
    """

    def __init__(self, vocabulary: int, dim: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary + 1, dim)  # the last one is the input before the first token
        nn.init.normal_(self.embed.weight, std=0.02)
        self.attention = nn.ModuleList(
            Residual(dim, Attention(dim, heads, 0.0, causal=True), dropout, rezero=True) for _ in range(layers)
        )
        self.feed_forward = nn.ModuleList(
            Residual(
                dim,
                nn.Sequential(nn.Linear(dim, MLP_RATIO * dim), nn.GELU(), nn.Linear(MLP_RATIO * dim, dim)),
                dropout,
                rezero=True,
            )
            for _ in range(layers)
        )
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, vocabulary))

    def logits(
        self, inputs: Int[Tensor, "batch length"], caches: list[KeyValues] | None = None
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Of the tokens after each input; with caches the inputs follow those that were read before."""
        begin = caches[0].used if caches else 0
        x = self.embed(inputs) + self._positions(begin, inputs.shape[1], inputs.device)
        for index, (attention, feed_forward) in enumerate(zip(self.attention, self.feed_forward, strict=True)):
            x = feed_forward(attention(x, None, caches[index] if caches else None))
        return self.head(x)

    def _positions(self, begin: int, length: int, device: torch.device) -> Float[Tensor, "length dim"]:
        dim = self.embed.embedding_dim
        rates = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(_LONGEST_WAVE) / dim))
        angles = torch.arange(begin, begin + length, device=device)[:, None] * rates
        return 0.1 * torch.cat([angles.sin(), angles.cos()], dim=1)

    def _begin(self, count: int) -> Int[Tensor, "batch 1"]:
        return torch.full((count, 1), self.embed.num_embeddings - 1, device=self.embed.weight.device)

    def forward(
        self, tokens: Int[Tensor, "batch length"], counted: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length"]:
        """Negative log-likelihoods of the counted tokens in nats, 0 elsewhere."""
        inputs = torch.cat([self._begin(len(tokens)), tokens[:, :-1]], dim=1)
        nats = F.cross_entropy(self.logits(inputs).float().flatten(0, 1), tokens.flatten(), reduction="none")
        return torch.where(counted, nats.view(tokens.shape), 0.0)

    @torch.inference_mode()
    def sample(
        self, count: int, length: int, stop: int | None, generator: np.random.Generator
    ) -> list[Int[np.ndarray, "_length"]]:
        """Sequences up to `length`, drawn with cached keys and values; each ends with `stop` if it comes before."""
        caches = [KeyValues(length) for _ in self.attention]
        inputs, drawn = self._begin(count), np.zeros((count, 0), np.int64)
        ended = np.zeros(count, bool)
        while drawn.shape[1] < length and not ended.all():
            cumulative = self.logits(inputs, caches)[:, 0].double().softmax(-1).cumsum(-1).cpu().numpy()
            uniform = generator.random((count, 1)) * cumulative[:, -1:]
            chosen = (cumulative > uniform).argmax(1)
            drawn = np.concatenate([drawn, chosen[:, None]], axis=1)
            ended |= chosen == stop
            inputs = torch.from_numpy(chosen[:, None]).to(inputs.device)
        ends = [row.tolist().index(stop) + 1 if stop in row else len(row) for row in drawn]
        return [row[:end] for row, end in zip(drawn, ends, strict=True)]
