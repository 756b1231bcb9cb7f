"""Tasks of the paper from the command line: `evaluate --task`."""

from typing import Any

from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from audio_datasets.cli.evaluate import feature_matrices
from audio_datasets.cli.options import EvaluateOptions
from audio_datasets.data.clips import overlap
from audio_datasets.protocols import TaskResult, evaluate_features, evaluate_weights, load_task
from audio_datasets.tasks.definitions import get_task


def evaluate_task(call: Invocation) -> None:
    """`evaluate --task`: prints the scores and writes `evaluation.json`, and `submission.csv` with the predictions."""
    options: EvaluateOptions = call.options
    assert options.root is not None
    data = load_task(get_task(options.task), options.root, trim=options.trim)
    split = options.chosen_split()
    data.rows(split)  # an error now rather than after the features
    if options.weights:
        from onepaper.torch.accelerator import choose_device

        from audio_datasets.pretrained.networks import open_network

        network = open_network(options.weights)
        network.model.to(choose_device(options.device))
        found, system = evaluate_weights(data, network, split=split, adaptation=options.adaptation), options.weights
    else:
        found = evaluate_features(
            data,
            feature_matrices(options, data.clips),
            baseline=options.baseline,
            fusion=options.fusion,
            split=split,
            seed=options.seed,
            selection=options.selection,
        )
        names = [name for name in options.bank if name != "encoder"] + [path.name for path in options.encoder.folders]
        system = f"{options.baseline} on {' and '.join(names)}" + (", late fusion" * (options.fusion == "late"))
    _write(call, found, system, split)
    shared = overlap(data.clips)
    if shared:
        print(f"{len(shared):,} speakers are in several splits: the score depends on speakers who were heard before")


def _write(call: Invocation, found: TaskResult, system: str, split: str) -> None:
    options: EvaluateOptions = call.options
    submission = found.submission()
    content: dict[str, Any] = {"task": found.task.id, "system": system, "split": split, "clips": len(found.ids)}
    scores, gain = {}, None
    if found.truth is not None:
        scores = found.scores(options.resamples, options.seed)
        gain = found.gain(options.resamples, options.seed)
        content["scores"] = {
            name: {"clips": by_clip._asdict(), "groups": by_group._asdict()}
            for name, (by_clip, by_group) in scores.items()
        }
        if gain is not None:
            content["gain of adaptation"] = {**gain.difference._asdict(), "p": gain.p_value}
    if found.choices:
        content["seeds"] = [choice._asdict() for choice in found.choices]
    with call.open_run() as run:
        run.write_json("evaluation.json", content)
        write_atomic(run.folder / "submission.csv", submission)
    print(f"{found.task.id}, {split} split: {len(found.ids):,} clips of {len(set(found.groups)):,} groups; {system}")
    for choice in found.choices:
        print(choice)
    for name, (by_clip, by_group) in scores.items():
        print(f"{name} {by_clip} over clips, [{by_group.low:.3f}, {by_group.high:.3f}] over groups of speakers")
    if gain is not None:
        print(f"gain of adaptation {gain.difference}, p = {gain.p_value:.3f}")
    if found.truth is None:
        print("labels of this split are blind: nothing is scored")
    print(f"written: {run.folder / 'submission.csv'}")
