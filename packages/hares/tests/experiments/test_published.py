"""Correlations of the printed rows against a ranking by hand."""

import numpy as np
from onepaper.claims import ClaimContext

from hares.data.published import published_rows
from hares.experiments.published import correlations, suite


def _ranks(values: list[float]) -> np.ndarray:
    array = np.array(values)
    return np.array([(array < value).sum() + ((array == value).sum() + 1) / 2 for value in array])


def test_correlations() -> None:
    evidence = correlations(ClaimContext())
    rows = published_rows()
    for name in ("environment", "hares"):
        pairs = _ranks([row.scores[0] for row in rows]), _ranks([row.printed[name] for row in rows])
        expected = np.corrcoef(*pairs)[0, 1]
        assert np.isclose(evidence.measurement(f"AudioSet and {name}").mean, expected)


def test_suite() -> None:
    assert suite(ClaimContext()).measurement("tasks").mean == 12
