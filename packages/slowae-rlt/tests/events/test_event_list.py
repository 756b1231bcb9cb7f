"""Events of levels, parts of them, and what is refused."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from slowae_rlt.events.event_list import Events
from slowae_rlt.events.event_rate import average_event_rate


def make(levels: np.ndarray, **changes: int) -> Events:
    header = {"highest": 7, "max_length": 16, "stride": 16, "sample_rate": 8000} | changes
    return Events.from_raster(levels, **header)


LEVELS = np.random.default_rng(0).integers(-1, 2, (200, 4)).cumsum(axis=0).clip(-7, 7)


def test_round_trip() -> None:
    events = make(LEVELS, samples=200 * 16 - 5)
    np.testing.assert_array_equal(events.raster(), LEVELS)
    assert (events.steps, events.seconds, events.samples) == (200, 0.4, 3195)
    assert events.rate() == average_event_rate(LEVELS, 500.0)
    assert events == make(LEVELS, samples=3195)
    assert events != make(LEVELS)
    assert events != 3


def test_prefix_and_crop() -> None:
    events = make(LEVELS)
    part = events.prefix(40)
    assert len(part) == 40
    np.testing.assert_array_equal(part.raster(), LEVELS[: part.steps])
    assert part.samples == part.steps * 16
    crop = events.crop(30, 90)
    np.testing.assert_array_equal(crop.raster(), LEVELS[30:90])
    assert crop.placement.starts[:4].tolist() == [0] * 4
    for call in (lambda: events.prefix(3), lambda: events.prefix(len(events) + 1), lambda: events.crop(5, 5)):
        with pytest.raises(UsageError, match="expected"):
            call()


def test_refused() -> None:
    with pytest.raises(UsageError, match="value 8, expected -7 to 7"):
        make(np.full((3, 1), 8))
    with pytest.raises(UsageError, match="do not have 200 steps"):
        make(LEVELS, samples=100)
    with pytest.raises(UsageError, match="length 17, expected 1 to 16"):
        Events(np.zeros(1, int), np.array([17]), 1, 7, 16, 16, 8000, 100)
    with pytest.raises(UsageError, match="each of 4 channels"):
        Events(np.zeros(3, int), np.ones(3, int), 4, 7, 16, 16, 8000, 16)
