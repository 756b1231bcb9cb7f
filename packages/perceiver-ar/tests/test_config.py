import re
from dataclasses import replace

import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from perceiver_ar.config import ALIASES, PRESETS, ExperimentConfig, ModelConfig

# Every row of the table of architectures, by the names of the presets.
ROWS = [
    "copy-32", "copy-131k", "imagenet64", "imagenet64-order-full", "imagenet64-order-1k",
    "wikitext103-1k", "wikitext103-2k", "wikitext103-4k", "wikitext103-8k", "pg19-2k", "pg19-4k",
    "books-1k", "books-2k", "books-4k", "books-8k", "books-16k", "books-deep",
    "maestro", "piano-10kh", "soundstream-8k", "soundstream-16k", "soundstream-32k", "soundstream-64k",
]  # fmt: skip


def test_every_row_of_the_paper_has_a_preset() -> None:
    assert [name for name in PRESETS if name.startswith("paper-")] == [f"paper-{row}" for row in ROWS]
    assert all(target in PRESETS for target in ALIASES.values())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = PRESETS[name].config
    assert from_dict(ExperimentConfig, to_dict(config)) == config


@pytest.mark.parametrize("name", PRESETS)
def test_unsure_fields_exist(name: str) -> None:
    for path in PRESETS[name].unsure:
        value = PRESETS[name].config
        for part in path.split("."):
            value = getattr(value, part)


def test_the_papers_runs_sum_and_clip() -> None:
    for name, preset in PRESETS.items():
        assert preset.config.optimizer.clip_norm == 1.0
        assert preset.config.loss_reduction == ("sum" if name.startswith("paper-") else "mean")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_latents": 2000}, "num_latents is 2000, expected at most context_length, which is 1024"),
        ({"vocab_size": 3}, "vocab_size is 3, expected more than the 3 reserved ids"),
        ({"width": 190}, "width is 190, expected a multiple of the 4 heads"),
        ({"input_width": 97, "cross_heads": 4}, "input_width is 97, expected a multiple of the 4 cross_heads"),
        ({"rotary_fraction": 0.0}, "rotary_fraction is 0.0, expected a number above 0 and at most 1"),
        ({"rotary_fraction": 0.01}, "turns no channel"),
        ({"max_wavelength": 100.0}, "max_wavelength is 100.0, expected at least context_length, 1024"),
        ({"prefix_dropout": 1.5}, "prefix_dropout is 1.5, expected a number from 0 to below 1"),
        ({"positions": "absolute", "input_width": 5, "cross_heads": 5}, "expected an even number from 4 on"),
        ({"positions": "absolute", "numbering": "negative-terminal"}, "tables start at 0"),
        ({"depth": -1}, "depth is -1"),
        (
            {"rotary_heads": 0.2},
            "rotary_heads is 0.2, expected a number above 0 and at most 1 that leaves",
        ),
        ({"adaptive_cutoffs": (5, 5)}, "adaptive_cutoffs are (5, 5), expected growing ids between 0 and vocab_size"),
        ({"adaptive_cutoffs": (5, 300)}, "adaptive_cutoffs are (5, 300)"),
        ({"adaptive_cutoffs": (5,), "input_width": 96}, "input_width is 96, expected the width, 192"),
        ({"adaptive_cutoffs": (5, 9, 20, 50), "width": 64}, "width is 64, expected at least 256"),
        ({"positions": "absolute", "position_tables": "fourier", "axes": (1,)}, "expected sizes from 2 on"),
    ],
)
def test_bad_models_are_told_in_one_line(changes: dict, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        replace(ModelConfig(), **changes)
    assert "\n" not in str(caught.value)


def test_a_misspelt_choice_is_told() -> None:
    with pytest.raises(UsageError, match="unknown value 'absolut': did you mean 'absolute'?"):
        from_dict(ModelConfig, {"positions": "absolut"})


def test_labels_keep_some_probability() -> None:
    with pytest.raises(UsageError, match="label_smoothing is 1.0, expected a number from 0 to below 1"):
        ExperimentConfig(label_smoothing=1.0)


def test_zero_means_the_natural_value() -> None:
    config = ModelConfig(width=64, heads=8, context_length=300, num_latents=10)
    assert (config.input_dim, config.num_cross_heads, config.wavelength, config.axis_sizes) == (64, 8, 300.0, (301,))
