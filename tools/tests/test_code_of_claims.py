"""Claims are found by the code that their measurements reach, also through other functions."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from code_of_claims import claims_by_definition, definition_at_top

CLAIMS = """from onepaper.claims import Below, Claim

RULE = Below("x", 1)
CLAIMS = (
    Claim(id="C1", place="-", statement="-", paper="-", tier="quick", measure="a_paper.runs:first", rule=RULE),
    Claim(id="C2", place="-", statement="-", paper="-", tier="quick", measure="a_paper.runs:second", rule=RULE),
)
"""
RUNS = """from a_paper.method import Sampler, square


def first():
    return second() + Sampler().step()


def second():
    return square(2)
"""
METHOD = """def square(x):
    return x * x


def cube(x):
    return x * square(x)


class Sampler:
    def step(self):
        return 1
"""


def test_definitions_lead_to_the_claims_that_reach_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a-paper" / "src" / "a_paper"
    source.mkdir(parents=True)
    for name, text in (("__init__", ""), ("claims", CLAIMS), ("runs", RUNS), ("method", METHOD)):
        (source / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = claims_by_definition(tmp_path / "a-paper")
    assert found["a_paper.method.square"] == ["C1", "C2"]
    assert found[definition_at_top(source.parent, "a_paper.method.Sampler.step")] == ["C1"]
    assert found["a_paper.runs.second"] == ["C1", "C2"]
    assert "a_paper.method.cube" not in found
