import pytest
from onepaper.errors import UsageError

from simplex_cir.cli.options import RankLawOptions, SimulateOptions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimulateOptions(alpha=(1.0,)), "at least 2"),
        (lambda: SimulateOptions(alpha=(1.0, -1.0)), "alpha"),
        (lambda: SimulateOptions(token=3), "expected 0 to 2"),
        (lambda: RankLawOptions(categories=(1,)), "at least 2"),
    ],
)
def test_bad_values_are_refused_in_a_line(make, message) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
