"""Claims of arithmetic: metrics against closed forms, and sums of the published splits."""

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement

from audio_datasets.catalogue.records import get_record
from audio_datasets.tasks.generation import activation_statistics, expression_precision, frechet_distance
from audio_datasets.tasks.metrics import ccc, mean_spearman, multitask_score, recall_weights, uar

_CLIPS = 50


def split_sums(context: ClaimContext) -> Evidence:
    """Published sizes of the splits of Hume-VocalBurst against its published number of clips."""
    record = get_record("hume-vocalburst")
    assert record.splits is not None
    assert record.clips is not None
    return Evidence(
        "", [Measurement.exact("clips of the splits minus clips", sum(record.splits.values()) - record.clips)]
    )


def concordance(context: ClaimContext) -> Evidence:
    """CCC of affine maps in closed form, and of the official variant at identity."""
    errors, official = dict[int, float](), dict[int, float]()
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        x = generator.random(_CLIPS)
        scale, shift = generator.uniform(0.5, 2), generator.uniform(-1, 1)
        expected = 2 * scale * x.var() / ((1 + scale**2) * x.var() + ((1 - scale) * x.mean() - shift) ** 2)
        errors[seed] = abs(ccc(x, scale * x + shift) - expected)
        official[seed] = abs(ccc(x, x, "hume2022") - (_CLIPS - 1) / _CLIPS)
    measured = [("largest error, affine maps", errors), ("largest error, official variant", official)]
    return Evidence("", [Measurement.over_seeds(name, values) for name, values in measured])


def recall_and_ranks(context: ClaimContext) -> Evidence:
    """UAR as a weighted mean of correct answers, and rank correlation of monotonic maps."""
    errors, ranks = dict[int, float](), dict[int, float]()
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        truth, predicted = generator.choice(4, 200, p=[0.6, 0.2, 0.15, 0.05]), generator.integers(4, size=200)
        errors[seed] = abs(uar(truth, predicted) - float((recall_weights(truth) * (truth == predicted)).mean()))
        x = generator.random((_CLIPS, 9))
        ranks[seed] = abs(mean_spearman(x, np.exp(5 * x)) - 1)
    measured = [("error of the weighted mean", errors), ("error of the rank correlation", ranks)]
    return Evidence("", [Measurement.over_seeds(name, values) for name, values in measured])


def multitask(context: ClaimContext) -> Evidence:
    """S_MTL of equal parts."""
    return Evidence(
        "", [Measurement.exact("error at CCC = UAR = 1/MAE = 0.5", abs(multitask_score(0.5, 0.5, 2) - 0.5))]
    )


def generation(context: ClaimContext) -> Evidence:
    """Frechet distance of commuting Gaussians in closed form, and precision of perfect ratings."""
    errors, precision = dict[int, float](), dict[int, float]()
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        basis = np.linalg.qr(generator.standard_normal((16, 16)))[0]
        first, second = generator.uniform(0.1, 2, (2, 16))
        means = generator.standard_normal((2, 16))
        expected = np.square(means[0] - means[1]).sum() + np.square(np.sqrt(first) - np.sqrt(second)).sum()
        found = frechet_distance(means[0], (basis * first) @ basis.T, means[1], (basis * second) @ basis.T)
        own = activation_statistics(generator.standard_normal((100, 16)))
        errors[seed] = max(abs(found - expected), abs(frechet_distance(*own, *own)))
        precision[seed] = abs(expression_precision(0.2 + 0.5 * np.eye(10)) - 1)
    measured = [("error of the distance", errors), ("error of the precision", precision)]
    return Evidence("", [Measurement.over_seeds(name, values) for name, values in measured])
