"""Affective audio benchmarks and novel data (Baird et al., 2024): catalogue, loaders, cards, tasks and baselines."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": [
            "AdaptationConfig",
            "DataConfig",
            "EncoderConfig",
            "EndToEndExperiment",
            "FeatureConfig",
            "FeaturesExperiment",
            "FineTuningExperiment",
            "MultitaskExperiment",
            "SelectionConfig",
        ],
        "presets": ["PRESETS"],
        "catalogue.records": ["Record", "read_catalogue", "get_record", "search"],
        "catalogue.exports": ["to_croissant", "to_csv", "to_json"],
        "data.clips": ["Clip", "ClipSet", "overlap"],
        "checks.copies": ["check_clips"],
        "data.folds": ["group_folds"],
        "data.loaders": ["load"],
        "data.examples.preparation": ["prepare"],
        "features.functionals": ["clip_features", "feature_names"],
        "tasks.definitions": ["TASKS", "get_task"],
        "tasks.few_shot": ["episodes"],
        "tasks.generation": ["expression_precision", "frechet_distance", "generation_score"],
        "tasks.intervals": ["bootstrap", "compare"],
        "tasks.metrics": ["ccc", "mean_ccc", "mean_pearson", "mean_spearman", "multitask_score", "uar"],
        "tasks.scoring": ["task_metrics"],
        "tasks.submissions": ["check_submission", "submission_csv"],
        "cards.card": ["write_card"],
        "exports.arrow": ["write_arrow"],
        "exports.audformat_tables": ["write_audformat"],
        "exports.lhotse_sets": ["write_lhotse"],
        "exports.shards": ["write_shards"],
        "adaptation": ["adapt_network"],
        "embeddings": ["embed_clips"],
        "extraction.extract": ["extract_features"],
        "extraction.job": ["Extraction"],
        "extraction.parts": ["parts_of_clips", "parts_of_shards"],
        "extraction.store": ["iterate_features", "read_features", "stored_features"],
        "evaluation": ["clip_matrix", "cross_validate", "evaluate_split"],
        "features.speech": ["speech_segments", "trim_silence"],
        "finetuning": ["fine_tune"],
        "multitask": ["train_multitask"],
        "pretrained.networks": ["open_network", "save_network"],
        "protocols": ["evaluate_features", "evaluate_weights", "load_task"],
        "training": ["evaluate_network", "train_end_to_end", "train_on_features"],
    },
)
