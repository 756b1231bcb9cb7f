"""Recorded verdicts belong to the rules of today, and the pages say what is recorded."""

from pathlib import Path

import pytest
from onepaper.claims.results import assert_rules_match
from onepaper.claims.tables import render_file

from simplex_cir.paper import PAPER

FOLDER = Path(__file__).parents[1]


def test_rules_match() -> None:
    assert_rules_match(PAPER)


@pytest.mark.parametrize("page", ["README.md", "../../docs/papers/simplex-cir.md"])
def test_pages_agree_with_results(page: str) -> None:
    render_file(FOLDER / page, PAPER, check=True)
