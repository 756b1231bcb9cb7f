r"""Which noise levels matter for a vocabulary of V tokens and embeddings of d channels.

For random embeddings on a sphere of radius $\sqrt d$, the products of a noisy embedding with those of other tokens are
$\sqrt d\, \lVert x \rVert\, c$ with $c$ distributed as a coordinate of a random unit vector, so that no embedding has
to be drawn. The cross-entropy of the optimal classifier of uniform tokens rises from 0 to ln V as t grows; a trained
model, which has context, is below it.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from onepaper.config import check_positive
from onepaper.errors import UsageError

# Below this cross-entropy a level is free of errors; above this part of ln V tokens are lost in the noise.
LOWEST_NATS, HIGHEST_PART = 0.01, 0.995

# A table of levels is looked up between these.
LOWEST_LEVEL, HIGHEST_LEVEL = 0.02, 2000.0


class NoiseRange(NamedTuple):
    """The noise levels at which cross-entropy begins to rise, is half of ln V, and has reached it."""

    t_min: float
    half: float
    t_max: float


def _logits(
    embed_dim: int, vocab_size: int, t: float, cosines: np.ndarray, along: np.ndarray, across: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the true token and of the others, divided by nothing but t^2."""
    d = embed_dim
    own = d + t * math.sqrt(d) * along
    norm = np.sqrt((math.sqrt(d) + t * along) ** 2 + t**2 * across)
    return own / t**2, math.sqrt(d) * norm[:, None] * cosines / t**2


@functools.lru_cache(maxsize=8)
def _draws(embed_dim: int, vocab_size: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosines with other embeddings, and the noise along and (squared) across the true embedding."""
    generator = np.random.default_rng([seed, embed_dim, vocab_size])
    # A coordinate of a random unit vector: its square has a Beta distribution.
    if embed_dim == 1:
        cosines = generator.choice([-1.0, 1.0], (draws, vocab_size - 1))
    else:
        cosines = 2 * generator.beta((embed_dim - 1) / 2, (embed_dim - 1) / 2, (draws, vocab_size - 1)) - 1
    # Pairs of opposite noise: their mean has no error of first order in 1 / t.
    half = generator.standard_normal(-(-draws // 2))
    along = np.concatenate([half, -half])[:draws]
    across = generator.chisquare(embed_dim - 1, draws) if embed_dim > 1 else np.zeros(draws)
    return cosines, along, across


def optimal_cross_entropy(
    embed_dim: int, vocab_size: int, levels: Float[np.ndarray, " levels"], *, draws: int = 200, seed: int = 0
) -> Float[np.ndarray, " levels"]:
    """Cross-entropy in nats of the optimal classifier at each noise level, from random draws shared by all levels."""
    cosines, along, across = _draws(embed_dim, vocab_size, draws, seed)
    found = []
    for t in levels:
        own, others = _logits(embed_dim, vocab_size, float(t), cosines, along, across)
        highest = np.maximum(own, others.max(axis=1))
        total = np.exp(own - highest) + np.exp(others - highest[:, None]).sum(axis=1)
        found.append(float((np.log(total) + highest - own).mean()))
    return np.array(found)


def decoded(
    embed_dim: int, vocab_size: int, t: float, *, draws: int = 200, seed: int = 0
) -> Float[np.ndarray, " draws"]:
    """1 for each draw whose nearest embedding is the true one, 0 for the rest."""
    cosines, along, across = _draws(embed_dim, vocab_size, draws, seed)
    own, others = _logits(embed_dim, vocab_size, t, cosines, along, across)
    return (own > others.max(axis=1)).astype(float)


def noise_range(embed_dim: int, vocab_size: int, *, draws: int = 100, seed: int = 0) -> NoiseRange:
    """The useful noise levels, to about 3%.

    Raises:
        UsageError: no embedding, or fewer than two tokens.
    """
    check_positive("embed_dim", embed_dim)
    if vocab_size < 2:
        raise UsageError(f"vocab_size is {vocab_size}, expected at least 2")

    def level(nats: float) -> float:
        low, high = math.log(LOWEST_LEVEL), math.log(HIGHEST_LEVEL)
        while high - low > 0.03:
            middle = (low + high) / 2
            below = optimal_cross_entropy(embed_dim, vocab_size, np.exp([middle]), draws=draws, seed=seed)[0] < nats
            low, high = (middle, high) if below else (low, middle)
        return math.exp((low + high) / 2)

    return NoiseRange(level(LOWEST_NATS), level(math.log(vocab_size) / 2), level(HIGHEST_PART * math.log(vocab_size)))


def check_range(levels: NoiseRange, t_min: float = 0.0, t_max: float = 0.0) -> str:
    """What is wrong with a range of noise levels in one line; empty if nothing is.

    Args:
        levels: those that are needed.
        t_min: of the range; 0: not checked.
        t_max: of the range; 0: not checked.
    """
    found = []
    if t_min > levels.half:
        found.append(f"t_min {t_min:g} is too high, expected at most {levels.t_min:.2g}")
    if 0 < t_max < levels.t_max:
        found.append(f"t_max {t_max:g} is too low, expected at least {levels.t_max:.2g}")
    return ", ".join(found)
