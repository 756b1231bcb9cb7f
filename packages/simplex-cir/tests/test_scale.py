"""Eight devices, and two processes, train and sample what one device does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onepaper.testing import run_processes

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("scale_worker.py")
PLACES = {"one device": (1, 1), "eight devices": (1, 8), "two processes": (2, 1)}


def launch(folder: Path, processes: int, devices: int) -> dict[str, Any]:
    folder.mkdir()
    assert run_processes(WORKER, [str(folder)], processes, devices) == [0] * processes
    parts = [json.loads((folder / f"result{rank}.json").read_text()) for rank in range(processes)]
    tokens: dict[int, list[list[int]]] = {}
    for part in parts:
        assert part["devices"] == processes * devices
        tokens |= {int(start): rows for start, rows in part["tokens"].items()}
    return {
        "losses": json.loads((folder / "losses.json").read_text()),
        "weights": parts[0]["weights"],
        "tokens": np.concatenate([tokens[start] for start in sorted(tokens)]),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    root = tmp_path_factory.mktemp("scale")
    return {name: launch(root / name.replace(" ", "-"), *place) for name, place in PLACES.items()}


@pytest.mark.parametrize("name", ["eight devices", "two processes"])
def test_training_is_that_of_one_device(results: dict[str, dict[str, Any]], name: str) -> None:
    one, many = results["one device"], results[name]
    assert len(one["losses"]) == 6
    np.testing.assert_allclose(many["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(many["weights"], one["weights"], rtol=1e-3)


@pytest.mark.parametrize("name", ["eight devices", "two processes"])
def test_sampling_is_that_of_one_device(results: dict[str, dict[str, Any]], name: str) -> None:
    assert results["one device"]["tokens"].shape == (32, 5)
    np.testing.assert_array_equal(results[name]["tokens"], results["one device"]["tokens"])
