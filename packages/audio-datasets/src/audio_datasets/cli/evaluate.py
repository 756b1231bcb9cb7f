"""The verb `evaluate`: a baseline or a trained network on clips that it was not trained on, with intervals.

A task of the paper (`--task`) is in `tasks`.
"""

import csv
import io

import numpy as np
from jaxtyping import Float32
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from audio_datasets.cli.options import EvaluateOptions
from audio_datasets.data.clips import ClipSet
from audio_datasets.data.folds import group_folds
from audio_datasets.data.loaders import load
from audio_datasets.evaluation import Evaluation, clip_matrix, cross_validate, evaluate_split


def evaluate_verb(call: Invocation) -> None:
    """The verb `evaluate`: prints the scores and writes `evaluation.json` and `predictions.csv`."""
    options: EvaluateOptions = call.options
    if options.dry_run:
        what = options.weights or f"{options.baseline} on {', '.join(options.bank)}"
        print(f"would evaluate {what} on {options.task or options.dataset}")
        return
    if options.task:
        from audio_datasets.cli.tasks import evaluate_task

        evaluate_task(call)
        return
    clips = load(options.dataset, options.root, trim=options.trim)
    clips = clips.labelled() if clips.classes else clips.where(lambda clip: bool(clip.targets))
    if options.split == "folds" and (not clips.classes or options.weights):
        raise UsageError("folds are for classes without --weights; give --split validation or --split test")
    # Files are read and scores computed before the run folder is created.
    found = _by_network(options, clips) if options.weights else _by_features(options, clips)
    scores = found.scores(options.resamples, options.seed)
    with call.open_run() as run:
        content = {
            name: {"clips": by_clip._asdict(), "groups": by_group._asdict()}
            for name, (by_clip, by_group) in scores.items()
        }
        run.write_json(
            "evaluation.json", {"clips": len(found.ids), "groups": len(set(found.groups)), "scores": content}
        )
        (run.folder / "predictions.csv").write_text(_predictions(found), encoding="utf-8")
    print(f"{len(found.ids):,} clips of {len(set(found.groups)):,} groups")
    for name, (by_clip, by_group) in scores.items():
        print(f"{name} {by_clip} over clips, [{by_group.low:.3f}, {by_group.high:.3f}] over groups of speakers")
    if found.kind == "classes":
        width = max(map(len, found.names)) + 2
        print(" " * width + "".join(f"{name[:9]:>10}" for name in found.names) + f"{'recall':>10}")
        for name, row in zip(found.names, found.confusion(), strict=True):
            recall = f"{row[found.names.index(name)] / row.sum():.2f}" if row.sum() else "-"
            print(f"{name:<{width}}" + "".join(f"{count:>10}" for count in row) + f"{recall:>10}")
    print(f"written: {run.folder / 'evaluation.json'}")


def feature_matrices(options: EvaluateOptions, clips: ClipSet) -> list[Float32[np.ndarray, "clips features"]]:
    """One matrix for each bank, and for each encoder."""
    found = []
    for bank in options.bank:
        if bank != "encoder":
            found.append(clip_matrix(clips, options.features, options.max_seconds, bank))
            continue
        from onepaper.torch.accelerator import choose_device

        from audio_datasets.embeddings import embed_clips

        device = str(choose_device(options.device))
        for folder in options.encoder.folders:
            found.append(embed_clips(clips, folder, options.encoder, options.max_seconds, device))
    return found


def _by_features(options: EvaluateOptions, clips: ClipSet) -> Evaluation:
    if options.split == "folds":
        group_folds(clips, options.folds)  # an error now rather than after the features
    features = np.concatenate(feature_matrices(options, clips), axis=1)
    if options.split == "folds":
        return cross_validate(clips, features, options.folds)
    return evaluate_split(clips, features, options.split)


def _by_network(options: EvaluateOptions, clips: ClipSet) -> Evaluation:
    from onepaper.torch.accelerator import choose_device

    from audio_datasets.pretrained.networks import open_network
    from audio_datasets.training import evaluate_network

    network = open_network(options.weights)
    network.model.to(choose_device(options.device))
    return evaluate_network(network, clips.split(options.split))


def _predictions(found: Evaluation) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    if found.kind == "classes":
        writer.writerow(("id", "group", "truth", "predicted"))
        for name, group, x, y in zip(found.ids, found.groups, found.truth, found.predicted, strict=True):
            writer.writerow((name, group, found.names[x], found.names[y]))
    else:
        writer.writerow(("id", "group", *(f"{name}/{kind}" for kind in ("truth", "predicted") for name in found.names)))
        for name, group, x, y in zip(found.ids, found.groups, found.truth, found.predicted, strict=True):
            writer.writerow((name, group, *x, *y))
    return content.getvalue()
