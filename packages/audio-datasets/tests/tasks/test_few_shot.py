"""Episodes: each clip of a speaker is either adapted to or asked for."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.tasks.few_shot import episodes

SPEAKERS = ("b", "a", "b", "a", "a", "c", "b", "c")


def test_first_clips() -> None:
    found = episodes(SPEAKERS)
    assert [(name, list(support), list(queries)) for name, support, queries in found] == [
        ("a", [1, 3], [4]),
        ("b", [0, 2], [6]),
    ]


def test_drawn_clips() -> None:
    found = episodes(SPEAKERS, shots=1, seed=3)
    assert [episode.speaker for episode in found] == ["a", "b", "c"]
    for name, support, queries in found:
        assert sorted([*support, *queries]) == [row for row, speaker in enumerate(SPEAKERS) if speaker == name]
        assert len(support) == 1
    again = episodes(SPEAKERS, shots=1, seed=3)
    assert all(np.array_equal(x.support, y.support) for x, y in zip(found, again, strict=True))


@pytest.mark.parametrize(
    ("speakers", "shots", "expected"),
    [(("a", ""), 1, "without a speaker"), (("a", "b"), 1, "no speaker has more"), (("a",), 0, "shots is 0")],
)
def test_wrong_values(speakers: tuple[str, ...], shots: int, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        episodes(speakers, shots)
