"""Recorded verdicts belong to the present rules, and the pages show the recorded results."""

from onepaper.testing import check_ledger

from compose_diffusion.paper import PAPER


def test_ledger():
    check_ledger(PAPER)


def test_every_quick_claim_has_a_recorded_result():
    recorded = {file.stem for file in (PAPER.project_folder() / "results").glob("*.json")}
    measured = {claim.id: claim.tier for claim in PAPER.claims() if claim.rule.needs_measure}
    assert {name for name, tier in measured.items() if tier == "quick"} <= recorded <= set(measured)
