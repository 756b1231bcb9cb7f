"""Small networks of several kinds, by SimCLR on the clips of mini-HARES without their labels, scored on it.

The networks see the evaluated clips in their training, but no label. They cost about 10 million multiplications a
second of audio, where the paper's Slowfast NFNet-F0 costs 1.4 billion.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Table
from onepaper.training import LoopOptions
from scipy.stats import f_oneway

from hares.config import EncoderConfig, Norm, TrainConfig
from hares.data.embedded import SETS, embedded_clips
from hares.data.mini import EMBEDDED_TASKS
from hares.data.pool import Pool
from hares.evaluation import evaluate_task, mean_by_domain
from hares.presets import LAPTOP, SMALL_FRONT_END, TINY
from hares.training import train

_STEPS, _BATCH, _WARMUP = 120, 32, 12
SLOWFAST = EncoderConfig(
    architecture="slowfast-resnet50", front_end=SMALL_FRONT_END, width=8, depths=(1, 1, 1, 1), norm="batch"
)
ARCHITECTURES: dict[str, EncoderConfig] = {
    "slowfast-nfnet": TINY,
    "slowfast-resnet50": SLOWFAST,
    "cnn14": EncoderConfig(architecture="cnn14", front_end=SMALL_FRONT_END, width=4),
    "vit": EncoderConfig(architecture="vit", front_end=SMALL_FRONT_END, width=64, depths=(1, 2, 2, 2)),
}
"""Of equal cost within a fifth."""
NORMS: tuple[Norm, ...] = ("batch", "none", "layer", "instance")
_LABELS = {"sounds": "kind", "syllables": "vowel", "notes": "family"}


def unlabelled_pool() -> Pool:
    """All embedded clips, with their set as the only label."""
    found = [(clip.samples, name) for name in SETS for clip in embedded_clips(name, _LABELS[name])]
    clips = [np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16) for samples, _ in found]
    return Pool(clips, np.array([SETS.index(name) for _, name in found]), SETS)


def training_of(encoder: EncoderConfig) -> TrainConfig:
    """The training that all networks have."""
    return replace(
        LAPTOP,
        encoder=encoder,
        batch_size=_BATCH,
        optimizer=replace(LAPTOP.optimizer, warmup_steps=_WARMUP),
        loop=LoopOptions(steps=_STEPS, log_every=_STEPS),
    )


def _score(encoder: EncoderConfig, seed: int) -> dict[str, Any]:
    trained = train(training_of(encoder), seed=seed, pool=unlabelled_pool())
    results = [evaluate_task(trained, task) for task in EMBEDDED_TASKS]
    means = mean_by_domain(results)
    return {**means, "all": float(np.mean([result.correct.mean() for result in results]))}


def _scores(context: ClaimContext, encoders: Mapping[str, EncoderConfig]) -> dict[str, dict[int, dict[str, Any]]]:
    """Network -> seed -> mean scores."""
    return {
        name: {
            seed: context.arm(f"simclr {name}", seed, lambda encoder=encoder, seed=seed: _score(encoder, seed))
            for seed in context.seeds
        }
        for name, encoder in encoders.items()
    }


def _table(scores: dict[str, dict[int, dict[str, Any]]]) -> Table:
    columns = ("environment", "speech", "music", "all")
    rows = [
        (name, *(f"{np.mean([float(each[column]) for each in seeds.values()]):.3f}" for column in columns))
        for name, seeds in scores.items()
    ]
    return Table("mean scores", ("network", *columns), tuple(rows))


def architectures(context: ClaimContext) -> Evidence:
    """Mean scores of networks of several kinds, and an analysis of variance: between kinds and between seeds."""
    scores = _scores(context, ARCHITECTURES)
    values = {name: {seed: float(each["all"]) for seed, each in seeds.items()} for name, seeds in scores.items()}
    measured = [Measurement.over_seeds(name, each) for name, each in values.items()]
    test = f_oneway(*(list(each.values()) for each in values.values()))
    measured.append(Measurement.exact("p of equal architectures", float(test.pvalue)))
    return Evidence("", tuple(measured), (_table(scores),))


def norms(context: ClaimContext) -> Evidence:
    """Differences of a Slowfast ResNet with each normalisation from that with batch normalisation, paired by seed."""
    # The network with batch normalisation is also one of the architectures: one arm for both.
    encoders: dict[Norm, str] = {norm: f"slowfast-resnet50, {norm}" for norm in NORMS}
    encoders["batch"] = "slowfast-resnet50"
    scores = _scores(context, {encoders[norm]: replace(SLOWFAST, norm=norm) for norm in NORMS})
    base = scores[encoders["batch"]]
    measured = [
        Measurement.over_seeds(
            f"{norm} - batch, {domain}",
            {seed: float(each[domain]) - float(base[seed][domain]) for seed, each in scores[encoders[norm]].items()},
        )
        for norm in NORMS[1:]
        for domain in ("all", "environment", "speech", "music")
    ]
    return Evidence("", tuple(measured), (_table(scores),))
