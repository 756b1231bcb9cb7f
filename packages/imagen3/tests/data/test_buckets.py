"""Sizes of several ratios, and batches of one size each."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from onepaper.errors import UsageError

from imagen3.data.buckets import BucketSampler, Ragged, bucket_of, bucket_sizes, cover, same_size


def test_sizes_of_one_megapixel() -> None:
    """The usual sizes are among them; all are multiples of the step and of about the area."""
    sizes = bucket_sizes(1024**2, 64)
    for usual in ((1024, 1024), (896, 1152), (1152, 896), (832, 1216), (768, 1344)):
        assert usual in sizes
    for height, width in sizes:
        assert height % 64 == width % 64 == 0
        assert 0.9 <= height * width / 1024**2 <= 1
        assert max(height, width) <= 4 * min(height, width)
    assert (bucket_sizes(64**2, 8)[0])[1] > 64
    with pytest.raises(UsageError, match="use a smaller step"):
        bucket_sizes(1000, 300)


def test_the_nearest_ratio_and_no_distortion() -> None:
    sizes = bucket_sizes(256**2, 32)
    for height, width in ((300, 300), (640, 480), (100, 390), (3000, 1000)):
        chosen = sizes[bucket_of(height, width, sizes)]
        ratios = [abs(np.log(own[0] / own[1] * width / height)) for own in sizes]
        assert abs(np.log(chosen[0] / chosen[1] * width / height)) == pytest.approx(min(ratios))
    # A circle stays one, whatever the size that it is cropped to.
    rows, columns = np.indices((120, 200))
    disc = (np.square(rows - 60) + np.square(columns - 100) < 40**2).astype(np.uint8) * 255
    found = cover(disc[..., None].repeat(3, axis=2), (64, 96))
    inside = found[..., 0] > 127
    assert found.shape == (64, 96, 3)
    assert abs(inside.any(0).sum() - inside.any(1).sum()) <= 2


@settings(max_examples=40, deadline=None)
@given(strategies.lists(strategies.integers(0, 4), min_size=1, max_size=60), strategies.sampled_from([2, 4, 6]))
def test_an_epoch(buckets: list[int], batch: int) -> None:
    """All ranks together have every picture once, but for those that fill up, and batches of one bucket."""
    numbers = np.array(buckets)
    samplers = [BucketSampler(numbers, batch, seed=1, rank=rank, world=2) for rank in range(2)]
    count = samplers[0].batches
    counts = np.zeros(len(numbers), int)
    for step in range(count):
        whole = np.concatenate([sampler(step) for sampler in samplers])
        assert len(np.unique(numbers[whole])) == 1
        assert np.array_equal(whole, BucketSampler(numbers, batch, seed=1)(step))
        np.add.at(counts, whole, 1)
    assert (counts >= 1).all()
    assert counts.sum() - len(numbers) < batch * len(np.unique(numbers))
    # Any step may be asked for, in any order: a resumed training goes on with the same batches.
    later = BucketSampler(numbers, batch, seed=1, rank=1, world=2)
    for step in (3 * count + 1, 2, count):
        assert np.array_equal(later(step), samplers[1](step))


def test_epochs_differ() -> None:
    sampler = BucketSampler(np.arange(40) % 3, 4)
    first, second = (
        [sampler(epoch * sampler.batches + step).tolist() for step in range(sampler.batches)] for epoch in range(2)
    )
    assert first != second


def test_weights_are_sampling_probabilities() -> None:
    """A picture of weight w is there w times an epoch in the mean, and never more than one away from it."""
    weights = np.random.default_rng(0).uniform(0, 3, 60)
    weights[:4] = (0.0, 1.0, 1.0, 2.0)
    sampler = BucketSampler(np.zeros(60, int), 10, weights=weights, seed=3)
    assert sampler.batches == 6
    epochs = 300
    counts = np.zeros((epochs, 60))
    for step in range(6 * epochs):
        np.add.at(counts[step // 6], sampler(step), 1)
    expected = weights / weights.mean()
    assert (np.abs(counts - expected) < 1 + 1e-6).all()
    share = expected % 1
    assert (np.abs(counts.mean(0) - expected) <= 4 * np.sqrt(share * (1 - share) / epochs) + 1e-6).all()
    assert counts[:, 0].sum() == 0


def test_weights_of_several_buckets() -> None:
    """Two copies of half the weight are drawn as often as one picture; a bucket of little weight is never empty."""
    buckets = np.array([0] * 40 + [1] * 40 + [2])
    weights = np.array([0.5] * 40 + [1.0] * 40 + [0.01])
    sampler = BucketSampler(buckets, 4, weights=weights)
    drawn = np.concatenate([sampler(step) for step in range(200 * sampler.batches)])
    counts = np.bincount(drawn, minlength=81)
    assert counts[:40].sum() / counts[40:80].sum() == pytest.approx(0.5, rel=0.08)
    assert counts[80] == 200 * 4
    for wrong in (-weights, 0 * weights, weights * np.nan):
        with pytest.raises(UsageError, match="weights of pictures"):
            BucketSampler(buckets, 4, weights=wrong)


def test_rows_of_several_sizes() -> None:
    rows = [np.full((2, 3 + number % 2), number) for number in range(7)]
    ragged = Ragged.of(rows)
    assert len(ragged) == 7
    assert np.array_equal(ragged[np.array([5, 1])], np.stack([rows[5], rows[1]]))
    with pytest.raises(UsageError, match="rows of 2 sizes"):
        ragged[np.array([0, 1])]
    parts = same_size(ragged, np.array([0, 1, 2, 3, 6]), 2)
    assert [part.tolist() for part in parts] == [[0, 2], [6], [1, 3]]
    assert [part.tolist() for part in same_size(np.zeros((5, 1)), np.arange(5), 3)] == [[0, 1, 2], [3, 4]]
