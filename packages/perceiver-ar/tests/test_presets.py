import pytest
from onepaper.config import from_dict, to_dict

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.presets import ALIASES, PRESETS

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
