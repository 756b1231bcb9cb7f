import math

import pytest
from onepaper.errors import OnePaperError
from onepaper.paper import Invocation

from simplex_cir.cli import verify
from simplex_cir.cli.options import VerifyOptions
from simplex_cir.experiments.closed_forms import Check
from simplex_cir.paper import PAPER


@pytest.mark.parametrize("error", [1.0, math.nan])
def test_failed_checks_are_named(error, monkeypatch, tmp_path, capsys) -> None:
    checks = (Check("sound", "itself", lambda: 0.0, 1e-9), Check("broken", "itself", lambda: error, 1e-9))
    monkeypatch.setattr(verify, "CHECKS", checks)
    monkeypatch.setattr(verify, "DIGITS", ())
    monkeypatch.setattr(verify, "DERIVATIVES", ())
    verb = next(verb for verb in PAPER.verbs if verb.name == "verify")
    call = Invocation(PAPER, verb, None, VerifyOptions(output=tmp_path / "run"))
    with pytest.raises(OnePaperError, match="1 of 2 closed forms exceed their bounds: broken"):
        verify.verify_verb(call)
    assert "too large" in capsys.readouterr().out
