import re
from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from perceiver_ar.config import KINDS, USER_DATASETS, DataConfig, ExperimentConfig, ModelConfig, SamplingOptions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_latents": 2000}, "num_latents is 2000, expected at most context_length, which is 1024"),
        ({"vocab_size": 3}, "vocab_size is 3, expected more than the 3 reserved ids"),
        ({"width": 190}, "width is 190, expected a multiple of the 4 heads"),
        ({"input_width": 97, "cross_heads": 4}, "input_width is 97, expected a multiple of the 4 cross_heads"),
        ({"rotary_fraction": 0.0}, "rotary_fraction is 0.0, expected a number above 0 and at most 1"),
        ({"rotary_fraction": 0.01}, "rotates no channel"),
        ({"max_wavelength": 100.0}, "max_wavelength is 100.0, expected at least context_length, 1024"),
        ({"prefix_dropout": 1.5}, "prefix_dropout is 1.5, expected a number from 0 to below 1"),
        ({"positions": "absolute", "input_width": 5, "cross_heads": 5}, "expected an even number from 4 on"),
        ({"positions": "absolute", "numbering": "negative-terminal"}, "tables start at 0"),
        ({"depth": -1}, "depth is -1"),
        (
            {"rotary_heads": 0.2},
            "rotary_heads is 0.2, expected a number above 0 and at most 1 that gives",
        ),
        ({"adaptive_cutoffs": (5, 5)}, "adaptive_cutoffs are (5, 5), expected growing ids between 0 and vocab_size"),
        ({"adaptive_cutoffs": (5, 300)}, "adaptive_cutoffs are (5, 300)"),
        ({"adaptive_cutoffs": (5,), "input_width": 96}, "input_width is 96, expected the width, 192"),
        ({"adaptive_cutoffs": (5, 9, 20, 50), "width": 64}, "width is 64, expected at least 256"),
        ({"positions": "absolute", "position_tables": "fourier", "axes": (1,)}, "expected sizes from 2 on"),
    ],
)
def test_bad_models_raise_errors(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        replace(ModelConfig(), **changes)
    assert "\n" not in str(caught.value)


def test_a_misspelt_choice_raise_errors() -> None:
    with pytest.raises(UsageError, match="unknown value 'absolut': did you mean 'absolute'?"):
        from_dict(ModelConfig, {"positions": "absolut"})


def test_labels_keep_some_probability() -> None:
    with pytest.raises(UsageError, match="label_smoothing is 1.0, expected a number from 0 to below 1"):
        ExperimentConfig(label_smoothing=1.0)


def test_zero_means_the_natural_value() -> None:
    config = ModelConfig(width=64, heads=8, context_length=300, num_latents=10)
    assert (config.input_dim, config.num_cross_heads, config.wavelength, config.axis_sizes) == (64, 8, 300.0, (301,))


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.2}, {"top_k": -1}])
def test_bad_sampling_options_raise_errors(options: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        SamplingOptions(**options)


def test_every_dataset_has_a_kind_and_survives_json() -> None:
    for name in KINDS:
        config = DataConfig(name, Path("somewhere") if name in USER_DATASETS else None)
        assert config.kind in ("copy", "text", "images", "events", "codes")
        assert from_dict(DataConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "novel"}, "did you mean 'novels'?"),
        ({"dataset": "text"}, "dataset 'text' is read from your files; give their path with --data.path"),
        ({"dataset": "digits", "path": "x"}, "dataset 'digits' takes no path"),
        ({"pieces": 0}, "pieces is 0, expected a number above 0"),
        ({"least_inputs": -1}, "least_inputs is -1, expected a number of at least 0"),
    ],
)
def test_bad_data_raise_one_line(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        from_dict(DataConfig, values)
