"""Recorded verdicts follow the present rules, and the pages show what is recorded."""

from onepaper.testing import check_ledger

from perceiver_ar.claims import CLAIMS
from perceiver_ar.paper import PAPER


def test_every_claim_of_the_paper_is_there() -> None:
    assert {f"C{number}" for number in range(1, 18)} <= {claim.id for claim in CLAIMS}


def test_rules_and_pages_agree_with_the_results() -> None:
    check_ledger(PAPER)
