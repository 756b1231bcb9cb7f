"""A training task whose state is one number, and readers of what the loop wrote."""

import dataclasses
import json
import math

from onepaper.checkpoints import Leaf
from onepaper.runs import Run
from onepaper.training import read_metrics


class Walk:
    """Each step mixes the batch into the number. Metrics are lazy and count how often they are read."""

    def __init__(self, nan_at=None, bad_state_at=None):
        self.nan_at, self.bad_state_at = nan_at, bad_state_at
        self.reads = 0
        self.steps = []

    def init(self, seed):
        return {"value": float(seed), "step": 0, "donated": False}

    def step(self, state, batch):
        assert not state["donated"], "the loop kept a donated state"
        state["donated"] = True
        step = state["step"]
        self.steps.append(step)
        value = math.sin(state["value"] * 1.1 + batch)
        task = self

        class Lazy:
            def __float__(self):
                task.reads += 1
                return math.nan if step + 1 == task.nan_at else value

        return {"value": value, "step": step + 1, "donated": False}, {"loss": Lazy(), "size": abs(value)}

    def non_finite(self, state):
        return "model/w" if self.bad_state_at is not None and state["step"] >= self.bad_state_at else None

    def save(self, state, folder):
        (folder / "state.json").write_text(json.dumps(state))
        return {"value": Leaf((), "float64")}

    def restore(self, folder, tree):
        return json.loads((folder / "state.json").read_text())


def batches(step):
    return step * 0.37


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 3


def opened(folder, **changes):
    return Run.open(folder, paper="walk", verb="train", config=Config(**changes), seed=0)


def losses(folder):
    """Step -> the rest of its row, timings aside."""
    rows = read_metrics(folder / "metrics.jsonl")
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)), "one row a step, in order"
    return {row.pop("step"): {k: v for k, v in row.items() if k != "steps_per_second"} for row in rows}
