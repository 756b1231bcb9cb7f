"""Differences are paired by clip and one value a group."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext, Plot, Sound

from hares.data.mini import EMBEDDED_TASKS
from hares.experiments import mini


def test_differences_are_over_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        mini,
        "_evaluate",
        lambda name: {task.name: np.full(len(task.clips()), float(name == "simclr")) for task in EMBEDDED_TASKS},
    )
    evidence = mini.compare(ClaimContext())
    for other in ("random", "statistics"):
        found = evidence.measurement(f"mini_vowels, simclr - {other}")
        assert found.mean == 1.0
        assert len(found.values) == 6
    # A figure each of tasks, ranks and domains, and a sound a domain.
    assert [type(shown) for shown in evidence.artifacts[1:]] == [Plot] * 3 + [Sound] * 3
    assert all(0 < len(shown.samples) <= 16_000 for shown in evidence.artifacts if isinstance(shown, Sound))
