"""The paper's entry for the command line: metadata, presets, verbs and claims."""

from onepaper.paper import Paper, Verb

from audio_datasets.cli.options import (
    DataOptions,
    EvaluateOptions,
    FeaturesOptions,
    LeaderboardOptions,
    SubmissionOptions,
    TrainOptions,
)
from audio_datasets.config import EndToEndExperiment, FeaturesExperiment, FineTuningExperiment, MultitaskExperiment
from audio_datasets.presets import ALIASES, PRESETS

PAPER = Paper(
    name="audio-datasets",
    module="audio_datasets",
    title="The NeurIPS 2023 Machine Learning for Audio Workshop: Affective Audio Benchmarks and Novel Data",
    authors=(
        "Alice Baird, Rachel Manzelli, Panagiotis Tzirakis, Chris Gagne, Haoqi Li, Sadie Allen, Sander Dieleman, "
        "Brian Kulis, Shrikanth S. Narayanan, Alan Cowen"
    ),
    venue="arXiv preprint 2403.14048",
    year=2024,
    arxiv="2403.14048",
    framework="torch",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "data",
            "search, check, show and prepare data sets (list, info, check, card, prepare, inspect, convert, export)",
            "audio_datasets.cli.data:data_verb",
            DataOptions,
        ),
        Verb(
            "train",
            "train the baseline on raw audio, that on functionals, the multitask one, or fine-tune an encoder",
            "audio_datasets.cli.train:train_verb",
            TrainOptions,
            "laptop-end-to-end",
            (EndToEndExperiment, FeaturesExperiment, FineTuningExperiment, MultitaskExperiment),
        ),
        Verb(
            "evaluate",
            "a baseline or a trained network on clips that it was not trained on, with intervals",
            "audio_datasets.cli.evaluate:evaluate_verb",
            EvaluateOptions,
        ),
        Verb(
            "submission",
            "check a CSV of predictions before it is sent to the organisers of a task",
            "audio_datasets.cli.submission:submission_verb",
            SubmissionOptions,
        ),
        Verb(
            "features",
            "functionals of many clips by several processes or a Ray cluster; an interrupted extraction continues",
            "audio_datasets.cli.features:features_verb",
            FeaturesOptions,
        ),
        Verb(
            "leaderboard",
            "baselines and best known results of the tasks, from the paper's tables, and your own",
            "audio_datasets.cli.leaderboard:leaderboard_verb",
            LeaderboardOptions,
        ),
    ),
    claims_in="audio_datasets.claims:CLAIMS",
    cost_of="audio_datasets.cli.costs:cost_of",
)
