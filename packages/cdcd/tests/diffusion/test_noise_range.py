"""Losses of random embeddings against embeddings that are drawn, and limits."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from cdcd.diffusion.noise_range import NoiseRange, check_range, decoded, noise_range, optimal_cross_entropy


@pytest.mark.parametrize(("embed_dim", "t"), [(16, 1.6), (64, 2.9)])
def test_against_drawn_embeddings(embed_dim: int, t: float) -> None:
    generator = np.random.default_rng(1)
    nats, hits = [], []
    for _ in range(200):
        table = generator.standard_normal((256, embed_dim))
        table *= np.sqrt(embed_dim) / np.linalg.norm(table, axis=1, keepdims=True)
        x = table[0] + t * generator.standard_normal(embed_dim)
        logits = table @ x / t**2
        nats.append(np.logaddexp.reduce(logits) - logits[0])
        hits.append(logits.argmax() == 0)
    found = optimal_cross_entropy(embed_dim, 256, np.array([t]), draws=2000)[0]
    assert found == pytest.approx(np.mean(nats), abs=3 * np.std(nats) / np.sqrt(200))
    assert decoded(embed_dim, 256, t, draws=2000).mean() == pytest.approx(np.mean(hits), abs=0.12)


def test_limits() -> None:
    low, high = optimal_cross_entropy(64, 1000, np.array([0.1, 1e4]))
    assert low < 1e-6
    assert high == pytest.approx(np.log(1000), rel=1e-3)
    # One channel has embeddings of +1 and -1 only: ties of half of the tokens stay even without noise.
    assert optimal_cross_entropy(1, 2, np.array([1e3]))[0] == pytest.approx(np.log(2), abs=0.01)


def test_range() -> None:
    levels = noise_range(64, 1024)
    assert levels.t_min < levels.half < levels.t_max
    assert levels.half == pytest.approx(2.9, abs=0.5)
    assert optimal_cross_entropy(64, 1024, np.array([levels.half]))[0] == pytest.approx(np.log(1024) / 2, rel=0.15)
    with pytest.raises(UsageError, match="vocab_size is 1"):
        noise_range(4, 1)


def test_check_range() -> None:
    levels = NoiseRange(1.0, 3.0, 50.0)
    assert check_range(levels, 0.5, 60.0) == check_range(levels) == ""
    assert check_range(levels, 4.0, 20.0) == (
        "t_min 4 is too high, expected at most 1, t_max 20 is too low, expected at least 50"
    )
