import re
from pathlib import Path

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from perceiver_ar.dataset_options import KINDS, OWN, DataConfig


def test_every_dataset_has_a_kind_and_survives_json() -> None:
    for name in KINDS:
        config = DataConfig(name, Path("somewhere") if name in OWN else None)
        assert config.kind in ("copy", "text", "images", "events", "codes")
        assert from_dict(DataConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"dataset": "novel"}, "did you mean 'novels'?"),
        ({"dataset": "text"}, "dataset 'text' is yours: give its path with --data.path"),
        ({"dataset": "digits", "path": "x"}, "dataset 'digits' has no path"),
        ({"pieces": 0}, "pieces is 0, expected a number above 0"),
        ({"least_inputs": -1}, "least_inputs is -1, expected a number of at least 0"),
    ],
)
def test_mistakes_take_a_line(values: dict, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        from_dict(DataConfig, values)
