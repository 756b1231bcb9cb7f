"""Options have the defaults that the pages name."""

from slowae_rlt.cli.options import DecodeOptions, EncodeOptions, EvaluateOptions


def test_one_model_is_the_default_of_all_verbs() -> None:
    assert {options().weights for options in (DecodeOptions, EncodeOptions, EvaluateOptions)} == {"laptop"}
