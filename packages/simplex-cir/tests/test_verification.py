import math

import jax
import pytest
from onepaper.errors import OnePaperError
from onepaper.paper import Invocation

from simplex_cir import verification
from simplex_cir.config import VerifyOptions
from simplex_cir.paper import PAPER
from simplex_cir.verification import CHECKS, Check, verify_verb

SLOW = {"Laplace transform", "forward equation", "quantiles"}
NAMED = [check for check in CHECKS if check.what not in SLOW]


@pytest.mark.parametrize("check", NAMED, ids=[f"{check.what} by {check.against}" for check in NAMED])
def test_closed_forms_hold(check: Check) -> None:
    with jax.enable_x64(True):
        assert check.error() <= check.bound


@pytest.mark.parametrize("error", [1.0, math.nan])
def test_what_is_off_is_named(error, monkeypatch, tmp_path, capsys) -> None:
    checks = (Check("sound", "itself", lambda: 0.0, 1e-9), Check("broken", "itself", lambda: error, 1e-9))
    monkeypatch.setattr(verification, "CHECKS", checks)
    monkeypatch.setattr(verification, "DIGITS", ())
    verb = next(verb for verb in PAPER.verbs if verb.name == "verify")
    call = Invocation(PAPER, verb, None, VerifyOptions(output=tmp_path / "run"))
    with pytest.raises(OnePaperError, match="1 of 2 closed forms are off: broken"):
        verify_verb(call)
    assert "too large" in capsys.readouterr().out
