"""Sequences are the events of their part of the raster."""

from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.events.run_lengths import Runs, decode_runs
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.run_length.sequences import (
    STEPS_PER_EVENT,
    check_levels,
    cut_sequences,
    join_levels,
    sequence_batches,
    successive_sequences,
)

CONFIG = RunLengthConfig(channels=2, levels=3, max_length=20, length=16, width=8, depth=1, heads=1)
LEVELS = np.random.default_rng(0).integers(-3, 4, (1500, 2)).repeat(5, axis=0).astype(np.int8)


def test_events_decode_to_the_raster() -> None:
    found = cut_sequences(LEVELS, np.array([0, 7, 3001]), CONFIG)
    assert found.counts.all()
    for row, start in enumerate((0, 7, 3001)):
        raster = decode_runs(Runs(found.values[row] - 3, found.lengths[row]), 2)
        assert len(raster) == found.steps[row]
        np.testing.assert_array_equal(raster, LEVELS[start : start + len(raster)])


def test_open_runs_do_not_count() -> None:
    """Nothing changes after 40 steps: only complete runs count, and what is open is not taken for a run."""
    size = STEPS_PER_EVENT * CONFIG.length
    levels = np.zeros((size, 2), np.int8)
    levels[:40:2, 0] = levels[:40, 1] = 1
    found = cut_sequences(levels, np.array([0]), replace(CONFIG, max_length=1000, length=60))
    assert found.counts[0].sum() == 40  # 39 of the first channel, whose last run is open, and one of the second
    assert found.steps[0] == 39
    levels[:] = 0
    assert not cut_sequences(levels, np.array([0]), replace(CONFIG, max_length=1000)).counts.any()


def test_successive_sequences_leave_nothing_out() -> None:
    found = successive_sequences(LEVELS, CONFIG)
    start = 0
    for row in range(len(found.values)):
        raster = decode_runs(Runs(found.values[row] - 3, found.lengths[row]), 2)
        np.testing.assert_array_equal(raster, LEVELS[start : start + len(raster)])
        start += len(raster)
    assert start > 0.95 * len(LEVELS)
    with pytest.raises(UsageError, match="fewer than 16 events"):
        successive_sequences(LEVELS[:10], CONFIG)


def test_batches_depend_on_the_step() -> None:
    batch = sequence_batches(LEVELS, CONFIG, 3, seed=0)
    np.testing.assert_array_equal(batch(1).values, batch(1).values)
    assert (batch(1).values != batch(2).values).any()


def test_levels_that_do_not_fit() -> None:
    check_levels(LEVELS, CONFIG, "train")
    with pytest.raises(UsageError, match="has 2 channels and levels up to 3, the model 4 and 3"):
        check_levels(LEVELS, replace(CONFIG, channels=4), "train")
    with pytest.raises(UsageError, match="the validation part has 100 grid steps"):
        check_levels(LEVELS[:100], CONFIG, "validation")


def test_recordings_follow_each_other() -> None:
    recordings = [prompt.samples for prompt in split_prompts(("en",))["test"][:2]]
    levels = join_levels(BandEnergies(), recordings)
    assert levels.shape == (-(-sum(map(len, recordings)) // 16), 4)
