"""Claims on the shipped clips of the default set: leakage of the split, baselines, and end-to-end against features."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import repetitions

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import overlap
from audio_datasets.data.examples.hedgewars import distinct, shipped_voices
from audio_datasets.data.folds import group_folds
from audio_datasets.evaluation import clip_matrix, cross_validate
from audio_datasets.experiments.figures import draw_confusion, listen
from audio_datasets.presets import PRESETS
from audio_datasets.tasks.intervals import bootstrap
from audio_datasets.tasks.metrics import recall_weights, uar

FOLDS = 5
SHIPPED = "hedgewars"


def speaker_leakage(context: ClaimContext) -> Evidence:
    """Voices, groups of related voices and contents of files that are in several splits or folds."""
    clips = shipped_voices()
    folds = group_folds(clips, FOLDS)
    crossing = sum(len(set(folds[np.array(clips.groups()) == group])) > 1 for group in set(clips.groups()))
    planted = clips.clips[0]._replace(id="planted", split="test")
    paths = clips.values("path")
    return Evidence(
        "",
        [
            Measurement.exact("voices in several splits", len(overlap(clips))),
            Measurement.exact("groups in several splits", len(overlap(clips, "group"))),
            Measurement.exact("groups in several folds", crossing),
            Measurement.exact("byte-identical copies", len(paths) - len(distinct(paths))),
            Measurement.exact("leaks found where one is planted", len(overlap((*clips, planted)))),
        ],
    )


def open_features(context: ClaimContext) -> Evidence:
    """UAR of support vectors on functionals over folds of voices, clip by clip."""
    clips = shipped_voices()
    found = cross_validate(clips, clip_matrix(clips, FeatureConfig()), FOLDS)
    correct = recall_weights(found.truth) * (found.truth == found.predicted)
    by_group = bootstrap(uar, found.truth, found.predicted, groups=found.groups)
    recalls = [
        (name, f"{row[index] / row.sum():.2f}", str(row.sum()))
        for index, (name, row) in enumerate(zip(found.names, found.confusion(), strict=True))
    ]
    return Evidence(
        f"{len(clips)} clips, {len(set(found.groups))} groups of voices; over groups the interval is "
        f"[{by_group.low:.3f}, {by_group.high:.3f}].",
        [Measurement.over_examples("UAR", correct)],
        [
            Table("Recall by class", ("class", "recall", "clips"), recalls),
            Plot(
                "Predicted classes, in percent of the clips of a class", draw_confusion(found.confusion(), found.names)
            ),
            *listen(clips),
        ],
    )


def end_to_end_against_features(context: ClaimContext) -> Evidence:
    """UAR on the test voices of the shipped network on raw audio minus that of networks on functionals, by clip."""
    from audio_datasets.pretrained.networks import open_network
    from audio_datasets.training import evaluate_network, features_of, train_on_features

    test, on_features = shipped_voices().split("test"), PRESETS["laptop-features"].config
    truth, inputs = test.labels(), features_of(test, on_features)
    correct = evaluate_network(open_network(SHIPPED), test).predicted == truth
    of_features = [
        train_on_features(on_features, seed=seed).predict(inputs).argmax(axis=1) == truth for seed in context.seeds
    ]
    weights, mean_correct = recall_weights(truth), np.mean(of_features, axis=0)
    network = Measurement.over_examples("UAR, end to end", weights * correct)
    functionals = Measurement.over_examples("UAR, functionals", weights * mean_correct)
    shown = {
        "raw audio": ([network.mean], (network.mean, network.low, network.high)),
        "functionals": (
            [float((weights * each).mean()) for each in of_features],
            (functionals.mean, functionals.low, functionals.high),
        ),
    }
    return Evidence(
        "",
        [
            network,
            functionals,
            Measurement.over_examples("UAR, end to end minus functionals", weights * (correct - mean_correct)),
        ],
        [Plot("UAR of both baselines on three unheard voices; chance is 0.125", repetitions(shown, ""))],
    )
