"""Options have the defaults that the pages name."""

import pytest
from onepaper.errors import UsageError

from slowae_rlt.cli.options import DecodeOptions, EncodeOptions, EvaluateOptions


def test_one_model_is_the_default_of_all_verbs() -> None:
    assert {options().weights for options in (DecodeOptions, EncodeOptions, EvaluateOptions)} == {"laptop"}


def test_languages() -> None:
    with pytest.raises(UsageError, match="unknown language 'de'"):
        EvaluateOptions(languages=("en", "de"))
    with pytest.raises(UsageError, match="languages is empty"):
        EvaluateOptions(languages=())
