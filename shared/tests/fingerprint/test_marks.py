import sys
import types

import pytest

from onepaper.claims import Below, Claim, ClaimContext, Evidence, Measurement
from onepaper.errors import OnePaperError
from onepaper.fingerprint.marks import measurement, unmeasured


@unmeasured
def read(number: int, *, twice: bool = False) -> int:
    """Reads."""
    return number * (1 + twice)


@unmeasured
class Reader:
    """Reads too."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_marked_definitions_work_as_before() -> None:
    assert read(2, twice=True) == 4
    assert read.__doc__ == "Reads."
    assert Reader(3).number == 3
    assert isinstance(Reader(3), Reader)


def test_a_measurement_cannot_use_them() -> None:
    made = Reader(1)
    with measurement("C1"):
        with pytest.raises(
            OnePaperError, match=r"claim C1 uses .*\.read, which is marked as unmeasured; remove the mark"
        ):
            read(1)
        with pytest.raises(OnePaperError, match=r"claim C1 uses .*\.Reader"):
            Reader(1)
        assert made.number == 1
    assert read(1) == 1


def test_the_mark_is_off_again_after_an_error() -> None:
    with pytest.raises(ValueError), measurement("C1"):
        raise ValueError
    assert read(1) == 1


def test_a_claim_that_uses_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("experiments_of_a_paper")
    module.measure = lambda context: Evidence("", [Measurement.exact("x", float(read(0)))])
    module.fair = lambda context: Evidence("", [Measurement.exact("x", 0.0)])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    claims = [
        Claim(
            id="C1",
            place="Table 1",
            statement="x is small",
            paper="below 1",
            tier="quick",
            rule=Below("x", 1.0),
            measure=f"{module.__name__}:{name}",
        )
        for name in ("measure", "fair")
    ]
    with pytest.raises(OnePaperError, match="claim C1 uses"):
        claims[0].run(ClaimContext())
    assert claims[1].run(ClaimContext())[1].verdict == "reproduced"
