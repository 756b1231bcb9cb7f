"""The presets: the baselines of the paper's challenges, and laptop versions of them on the default set."""

from pathlib import Path

from onepaper.optimizer import OptimizerOptions
from onepaper.paper import Preset
from onepaper.training import LoopOptions

from audio_datasets.config import (
    OFFICIAL_SELECTION,
    DataConfig,
    EndToEndConfig,
    EndToEndExperiment,
    FeaturesExperiment,
    FineTuningExperiment,
    MultitaskExperiment,
    SelectionConfig,
)

# 19,990 training clips in batches of 8 (paper, table 2); 30 epochs end to end, 25 on features, 60 of the
# few-shot and 20 of the multitask network.
_EPOCH = 2499

_EXVO = "hume-vocalburst-exvo"
# Networks on raw audio are those of the epoch with the best score on the validation split.
_BEST_SCORE = SelectionConfig(keep="best", monitor="score")

# Tasks of A-VB: outputs and kind.
_TASKS = {"high": (10, "regression"), "two": (2, "regression"), "culture": (40, "regression"), "type": (8, "classes")}


def _bursts(task: str) -> DataConfig:
    return DataConfig(f"hume-vocalburst-{task}", Path("hume-vocalburst"))


PRESETS = {
    **{
        f"paper-end-to-end-{task}": Preset(
            f"raw audio, A-VB {task}: convolutions and LSTM",
            EndToEndExperiment(
                _bursts(task),
                EndToEndConfig(outputs, kind),  # type: ignore[arg-type]
                selection=_BEST_SCORE,
                loop=LoopOptions(steps=30 * _EPOCH, log_every=100, evaluate_every=_EPOCH, checkpoint_every=_EPOCH),
            ),
            unsure=("data.max_seconds", "model.normalize"),
        )
        for task, (outputs, kind) in _TASKS.items()
    },
    **{
        f"paper-features-{task}": Preset(
            f"functionals, A-VB {task}: a network of three hidden layers",
            FeaturesExperiment(
                _bursts(task),
                selection=OFFICIAL_SELECTION,
                loop=LoopOptions(steps=25 * _EPOCH, log_every=100, evaluate_every=_EPOCH, checkpoint_every=_EPOCH),
            ),
            unsure=("data.max_seconds", "features"),
        )
        for task in _TASKS
    },
    "paper-few-shot": Preset(
        "raw audio, ExVo few-shot: trained without speakers, adapted to each of them by `evaluate`",
        EndToEndExperiment(
            DataConfig(_EXVO, Path("hume-vocalburst")),
            EndToEndConfig(10, "regression"),
            optimizer=OptimizerOptions(name="adamw", lr=1e-3, weight_decay=0.01),
            selection=_BEST_SCORE,
            loop=LoopOptions(steps=60 * _EPOCH, log_every=100, evaluate_every=_EPOCH, checkpoint_every=_EPOCH),
        ),
        unsure=("data.max_seconds", "model.normalize", "optimizer.weight_decay"),
    ),
    "paper-multitask": Preset(
        "functionals, ExVo multitask: ratings, age and country",
        MultitaskExperiment(
            selection=OFFICIAL_SELECTION,
            loop=LoopOptions(steps=20 * _EPOCH, log_every=100, evaluate_every=_EPOCH, checkpoint_every=_EPOCH),
        ),
        unsure=("data.max_seconds", "features"),
    ),
    "paper-fine-tuning": Preset(
        "wav2vec2, HuBERT or WavLM from a local folder, fine-tuned on the ratings of Hume-Prosody",
        FineTuningExperiment(
            DataConfig("hume-prosody", Path("hume-prosody")),
            batch_size=64,
            optimizer=OptimizerOptions(name="adamw", lr=3e-4, warmup_steps=200, weight_decay=0.0),
            loop=LoopOptions(steps=2000, log_every=50, evaluate_every=200, checkpoint_every=200),
        ),
        unsure=("data.max_seconds", "loop.steps", "optimizer.warmup_steps"),
    ),
    "laptop-end-to-end": Preset(
        "raw audio, eight classes of the default set",
        EndToEndExperiment(
            model=EndToEndConfig(normalize=True),
            loop=LoopOptions(steps=942, log_every=31, evaluate_every=157, checkpoint_every=314),
        ),
    ),
    "laptop-features": Preset("functionals, eight classes of the default set", FeaturesExperiment()),
    "smoke": Preset(
        "a few steps end to end with a narrow LSTM",
        EndToEndExperiment(
            model=EndToEndConfig(hidden=16, layers=1, normalize=True),
            optimizer=OptimizerOptions(name="adam", lr=1e-3),
            loop=LoopOptions(steps=6, log_every=2, checkpoint_every=3),
        ),
    ),
}
ALIASES = {"laptop": "laptop-end-to-end"}
