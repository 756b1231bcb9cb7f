"""Recorded verdicts follow the present rules, and the pages show what is recorded."""

from onepaper.testing import check_ledger

from slowae_rlt.paper import PAPER


def test_rules_and_pages_agree_with_the_results() -> None:
    check_ledger(PAPER)
