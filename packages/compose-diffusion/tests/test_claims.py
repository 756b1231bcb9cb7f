"""Recorded verdicts belong to the rules of today, and the pages say what is recorded."""

from pathlib import Path

import pytest
from onepaper.claims import tables
from onepaper.claims.results import assert_rules_match
from onepaper.claims.tables import render_file

from compose_diffusion.claims import CLAIMS
from compose_diffusion.paper import PAPER

FOLDER = Path(__file__).parents[1]


def test_rules_match():
    assert_rules_match(PAPER)


def test_every_quick_claim_has_a_recorded_result():
    recorded = {file.stem for file in (FOLDER / "results").glob("*.json")}
    measured = {claim.id: claim.tier for claim in CLAIMS if claim.rule.needs_measure}
    assert {name for name, tier in measured.items() if tier == "quick"} <= recorded <= set(measured)


@pytest.fixture(scope="module")
def outcomes_once():
    """Both pages, and tables and numbers of each, are of the same outcomes; the code behind them is hashed once."""
    outcomes = tables.recorded_outcomes(PAPER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "recorded_outcomes", lambda paper: outcomes if paper is PAPER else None)
        yield


@pytest.mark.usefixtures("outcomes_once")
@pytest.mark.parametrize("page", ["README.md", "../../docs/papers/compose-diffusion.md"])
def test_pages_agree_with_results(page):
    render_file(FOLDER / page, PAPER, check=True)
