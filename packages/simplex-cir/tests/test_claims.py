from onepaper.testing import check_ledger

from simplex_cir.paper import PAPER


def test_ledger() -> None:
    check_ledger(PAPER)
