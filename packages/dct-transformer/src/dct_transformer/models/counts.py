"""Count models of lists: the baselines that a network is compared with."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dct_transformer.config import ModelConfig
from dct_transformer.models.likelihoods import Likelihood
from dct_transformer.representation.codec import bounds_of, layout_for, listed_channels
from dct_transformer.representation.triples import Triples

SMOOTHING = 0.1


class CountModel:
    r"""Frequencies of the three factors of a triple, among the choices that keep a list sorted.

    Unigram: $p(c_l)\, p(p_l)\, p(v_l | c_l)$. Bigram: $p(c_l | c_{l-1})\, p(p_l | p_{l-1}, c_l = c_{l-1})\,
    p(v_l | c_l)$. Frequencies are smoothed by a tenth of a count for every choice.

    Args:
        config: of the network whose lists are counted.
        order: 1 for unigrams, 2 for bigrams.
    """

    def __init__(self, config: ModelConfig, order: int) -> None:
        self.config, self.order, self.layout = config, order, layout_for(config)
        self.bounds = bounds_of(config)
        self.limit = int(self.bounds.max())
        channels, positions = self.layout.num_channels, self.layout.num_positions
        contexts = channels + 1 if order == 2 else 1
        self.channels = np.full((contexts, channels + 1), SMOOTHING)
        self.positions = np.full((2, positions + 1, positions) if order == 2 else (1, 1, positions), SMOOTHING)
        self.values = np.full((channels, 2 * self.limit + 1), SMOOTHING)

    def fit(self, lists: Sequence[Triples]) -> "CountModel":
        """Count the triples of lists; returns the model."""
        for triples in lists:
            context, same, before = self._contexts(triples)
            targets = np.append(triples.channels, self.layout.num_channels)
            np.add.at(self.channels, (context, targets), 1)
            np.add.at(self.positions, (same, before, triples.positions), 1)
            np.add.at(self.values, (triples.channels, triples.values + self.limit), 1)
        return self

    def _contexts(self, triples: Triples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.order == 1:
            zeros = np.zeros(triples.length, int)
            return np.zeros(triples.length + 1, int), zeros, zeros
        before = np.concatenate([[self.layout.num_channels], triples.channels])
        same = (before[:-1] == triples.channels).astype(int)
        places = np.concatenate([[self.layout.num_positions], triples.positions])[: triples.length]
        return before, same, places

    def likelihood(self, lists: Sequence[Triples]) -> Likelihood:
        """Bits of lists, with the probabilities of each step normalised over its legal choices."""
        channels, positions, values = np.array([self._bits(triples) for triples in lists]).T
        return Likelihood(channels, positions, values, np.array([triples.length for triples in lists], float))

    def _bits(self, triples: Triples) -> Float[np.ndarray, "3"]:
        layout = self.layout
        context, same, before = self._contexts(triples)
        keys = np.concatenate([[-1], layout.keys(triples.channels, triples.positions)])
        last = np.where(listed_channels(self.config), layout.keys(np.arange(layout.num_channels), layout.last), -1)
        legal = np.concatenate([last[None] > keys[:, None], np.ones((len(keys), 1), bool)], axis=1)
        channel = _bits(self.channels[context], legal, np.append(triples.channels, layout.num_channels))
        every = layout.keys(triples.channels[:, None], np.arange(layout.num_positions)[None])
        legal = (every > keys[:-1, None]) & layout.has_block[triples.channels // layout.block**2]
        position = _bits(self.positions[same, before], legal, triples.positions)
        sizes = np.abs(np.arange(-self.limit, self.limit + 1))
        legal = (sizes > 0) & (sizes <= self.bounds[triples.channels][:, None])
        value = _bits(self.values[triples.channels], legal, triples.values + self.limit)
        return np.array([channel, position, value])


def _bits(counts: np.ndarray, legal: np.ndarray, targets: np.ndarray) -> float:
    counts = np.where(legal, counts, 0.0)
    chosen = counts[np.arange(len(targets)), targets] / counts.sum(axis=1)
    return float(-np.log(chosen).sum() / math.log(2))
