"""The comparison: differences for each picture, and a table of all sequences."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from dct_transformer.experiments import baselines


def test_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = {"lists": np.array([3.0, 5]), "unigrams": np.array([9.0, 9]), "bigrams": np.array([8.0, 8])}
    own = {"tokens": np.array([2.0, 2]), "parameters": 10.0}
    monkeypatch.setattr(baselines, "list_bits", lambda seed: bits | own)
    found = {"pixels": 10.0, "jpeg-bytes": 4.0, "codes": 1.0}
    monkeypatch.setattr(
        baselines, "token_bits", lambda kind, seed: own | {"bits": np.full(2, found[kind]), "psnr": found[kind]}
    )
    evidence = baselines.bits_of_pictures(ClaimContext(seeds=(0,)))
    assert [measured.values for measured in evidence.measured] == [(7.0, 5.0), (1.0, -1.0)]
    table = evidence.artifacts[0]
    assert [row[1] for row in table.rows] == ["4", "8", "9", "10", "4", "1", "8"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_small_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "STEPS", 2)
    lists, codes = baselines.list_bits(0), baselines.token_bits("jpeg-bytes", 0)
    assert lists["lists"].shape == codes["bits"].shape == (54,)
