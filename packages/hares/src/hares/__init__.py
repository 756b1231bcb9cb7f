"""Towards Learning Universal Audio Representations (Wang et al., 2022): HARES, and Slowfast NFNet."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__version__ = "0.1.0"

__getattr__: Callable[[str], Any]
# Resolved on first use (PEP 562), so that importing the package is light.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "claims": ["CLAIMS"],
        "config": ["EncoderConfig", "FrontEndConfig", "TrainConfig"],
        "data.mini": ["MINI_TASKS", "MiniTask"],
        "data.published": ["published_rows"],
        "data.tasks": ["TASKS", "Task", "task_of"],
        "evaluation": ["TaskResult", "compare_domains", "domain_gaps", "evaluate_task"],
        "features.store": ["FeatureStore"],
        "figures": ["critical_difference", "gap_matrix", "radar"],
        "gallery": ["find_neighbours"],
        "hear": ["HearEmbedding", "HearModel", "open_embedding"],
        "models.encoder": ["Encoder"],
        "presets": ["ENCODERS", "PRESETS"],
        "probing.logistic": ["LinearProbe", "fit_logistic"],
        "probing.probes": ["fit_probes"],
        "probing.scores": ["bootstrap_over_groups", "hares_score", "mean_average_precision", "rank_test"],
        "scoring": ["SuiteResult", "score_task"],
        "suite.loading": ["open_task"],
        "training": ["train"],
        "xares": ["XaresEncoder"],
    },
)
