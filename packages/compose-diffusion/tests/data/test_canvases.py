from itertools import combinations

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

from compose_diffusion.config.positions import CanvasConfig, PositionsConfig
from compose_diffusion.data.canvases import arrangements, draw_canvases, one_position, training_batches
from compose_diffusion.data.digits import load_digits


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_digits_do_not_overlap_and_stay_on_the_canvas(rng):
    for count in range(1, 6):
        places = arrangements(50, count, CanvasConfig(), rng)
        assert places.shape == (50, count, 2)
        assert places.min() >= 0
        assert places.max() <= 24
        for one, other in combinations(range(count), 2):
            assert (np.abs(places[:, one] - places[:, other]).max(axis=1) >= 8).all()


def test_arrangements_are_uniform(rng):
    config = CanvasConfig(size=19, max_digits=2)
    places = arrangements(60_000, 2, config, rng).reshape(-1, 4)
    every = np.stack(np.meshgrid(*[np.arange(12)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    allowed = every[np.abs(every[:, :2] - every[:, 2:]).max(axis=1) >= 8]
    codes = {tuple(row) for row in allowed.tolist()}
    assert all(tuple(row) in codes for row in places[:500].tolist())
    # The mean of any function is that over all allowed arrangements.
    for axis in range(4):
        spread = allowed[:, axis].std() / len(places) ** 0.5
        assert places[:, axis].mean() == pytest.approx(allowed[:, axis].mean(), abs=4 * spread)
        assert places[:, axis].std() == pytest.approx(allowed[:, axis].std(), rel=0.02)


def test_too_many_digits(rng):
    with pytest.raises(UsageError, match="num_digits is 6, expected 1 to 5"):
        arrangements(1, 6, CanvasConfig(), rng)


def test_canvases_show_digits_of_the_split_where_they_say(rng):
    known = {tuple(image.tolist()) for image in load_digits("model").images.flatten(1)}
    canvases = draw_canvases(30, CanvasConfig(), "model", rng)
    assert set(canvases.counts.tolist()) == {1, 2, 3, 4, 5}
    for image, positions, count in zip(canvases.images[:, 0], canvases.positions, canvases.counts, strict=True):
        left = image.clone()
        for x, y in positions[:count].tolist():
            assert tuple(image[y : y + 8, x : x + 8].flatten().tolist()) in known
            left[y : y + 8, x : x + 8] = -1
        assert (left == -1).all()
        assert (positions[count:] == -1).all()
    assert draw_canvases(5, CanvasConfig(), "evaluator", rng, num_digits=3).counts.tolist() == [3] * 5


def test_one_position_is_that_of_any_digit(rng):
    canvases = draw_canvases(4000, CanvasConfig(), "model", rng, num_digits=3)
    chosen = one_position(canvases, 0.15, rng)
    withheld = (chosen == -1).all(dim=1)
    assert float(withheld.double().mean()) == pytest.approx(0.15, abs=0.02)
    same = (canvases.positions[~withheld] == chosen[~withheld][:, None]).all(dim=2)
    assert same.any(dim=1).all()
    shares = same[:, :3].double().mean(dim=0)
    assert (shares - 1 / 3).abs().max() < 0.04


def test_batches_are_a_function_of_seed_and_step():
    batches = training_batches(PositionsConfig(), 8, seed=1)
    again = training_batches(PositionsConfig(), 8, seed=1)(5)
    other = batches(6)
    for name, value in batches(5).items():
        assert torch.equal(value, again[name])
        assert not torch.equal(value, other[name])
    halves = [training_batches(PositionsConfig(), 8, seed=1, rank=rank, world=2)(5) for rank in range(2)]
    assert torch.equal(torch.cat([half["images"] for half in halves]), again["images"])
