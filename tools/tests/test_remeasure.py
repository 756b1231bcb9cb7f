"""The claim that is measured again is the longest that may be, and a row compares both measurements."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from onepaper.claims.results import Result, read_results
from onepaper.errors import UsageError

sys.path.insert(0, str(Path(__file__).parents[1]))
from remeasure import longest, row
from render_results import papers

ROOT = Path(__file__).parents[2]


def test_every_paper_has_a_claim_to_measure_again() -> None:
    for paper in papers(ROOT):
        assert longest(read_results(paper).values()).seconds <= 15


def test_longest_and_its_row() -> None:
    paper = next(paper for paper in papers(ROOT) if paper.name == "hares")
    some: Result = next(iter(read_results(paper).values()))
    made = [
        replace(some, id=name, tier=tier, seconds=seconds, peak_mib=peak)
        for name, tier, seconds, peak in (
            ("C1", "quick", 3.0, 1000),
            ("C2", "quick", 2.0, 100),
            ("C3", "quick", 16.0, 100),
            ("C4", "quick", 9.0, None),
            ("C5", "full", 50.0, 100),
        )
    ]
    assert longest(made).id == "C1"
    with pytest.raises(UsageError, match="no quick result"):
        longest(made[2:])
    now = replace(made[0], seconds=4.5, peak_mib=1100)
    assert row("hares", made[0], now, 6.0) == (
        f"| hares | C1 | {some.verdict} | {some.verdict} | 3.0 s | 4.5 s | 6.0 s | 1,000 MiB | 1,100 MiB | 1.10 |"
    )
