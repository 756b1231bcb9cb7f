"""Configurations of data, features, networks and training, as frozen dataclasses that validate their fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions


@dataclass(frozen=True)
class DataConfig:
    """Clips and the sampling rate at which networks hear them."""

    dataset: str = "hedgewars-voices"
    """id of a data set that `data list` shows as loadable, or `manifest` for a CSV of your own"""
    root: Path | None = None
    """folder of the data set, or the CSV of `manifest`; without it the clips that ship with the package"""
    rate: int = 16_000
    """sampling rate in Hz"""
    max_seconds: float = 10.0
    """longer clips are cut"""
    trim: bool = False
    """leave out silence before and after speech, as Silero VAD finds it"""

    def __post_init__(self) -> None:
        check_positive("data.rate", self.rate)
        check_positive("data.max_seconds", self.max_seconds)


@dataclass(frozen=True)
class FeatureConfig:
    """Short-time analysis of the open feature bank."""

    rate: int = 16_000
    """sampling rate in Hz"""
    window_seconds: float = 0.032
    """length of the Hann window"""
    hop_seconds: float = 0.01
    """distance of frames"""
    mels: int = 26
    """triangular filters on the mel scale, from 20 Hz to half of the rate"""
    cepstra: int = 13
    """MFCC that are kept, without the zeroth"""
    pitch_low: float = 60.0
    """lowest fundamental frequency, in Hz"""
    pitch_high: float = 800.0
    """highest fundamental frequency, in Hz"""
    voicing: float = 0.45
    """a frame is voiced where the normalised autocorrelation at its period is above this"""

    def __post_init__(self) -> None:
        for name in ("rate", "window_seconds", "hop_seconds", "mels", "cepstra", "pitch_low"):
            check_positive(name, getattr(self, name))
        check_between("voicing", self.voicing, 0.0, 1.0)
        if not self.pitch_low < self.pitch_high <= self.rate / 2:
            raise UsageError(
                f"pitch_high is {self.pitch_high}, expected above {self.pitch_low} and at most {self.rate / 2}"
            )
        if self.pitch_low * self.window_seconds < 1.5:
            raise UsageError(
                f"a window of {self.window_seconds} s is too short for {self.pitch_low} Hz, expected 1.5 periods"
            )
        if self.cepstra >= self.mels:
            raise UsageError(f"cepstra is {self.cepstra}, expected fewer than the {self.mels} filters")


@dataclass(frozen=True)
class EncoderConfig:
    """Frozen encoders of speech whose embeddings are features of a clip."""

    folders: tuple[Path, ...] = ()
    """folders of wav2vec2, HuBERT or WavLM as transformers saves them; several are fused"""
    layer: int = -1
    """hidden states that are pooled: 0 before the first layer, 1 after it, -1 after the last one"""
    pooling: Literal["mean", "mean-deviation", "max"] = "mean"
    """over the frames of a clip"""
    cache: Path | None = None
    """folder that keeps embeddings, so that each clip is encoded once"""

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, ("mean", "mean-deviation", "max"))
        if self.layer < -1:
            raise UsageError(f"encoder.layer is {self.layer}, expected -1 for the last layer, or 0 and above")


@dataclass(frozen=True)
class EndToEndConfig:
    """The network on raw audio of the A-VB and ExVo baselines: convolutions of each frame, then an LSTM."""

    outputs: int = 8
    """classes, or targets of a regression"""
    kind: Literal["classes", "regression"] = "classes"
    """classes: logits and cross-entropy; regression: sigmoids and squared errors"""
    frame: int = 1600
    """samples of a frame: 0.1 s at 16 kHz; the convolutions give 512 features for it"""
    hidden: int = 256
    """width of the LSTM"""
    layers: int = 2
    """layers of the LSTM"""
    normalize: bool = False
    """scale each clip to a root mean square of 0.1"""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("classes", "regression"))
        for name in ("outputs", "hidden", "layers"):
            check_positive(name, getattr(self, name))
        if self.frame < 640:
            raise UsageError(
                f"frame is {self.frame}, expected at least 640 samples, which the three poolings leave one of"
            )


@dataclass(frozen=True)
class MLPConfig:
    """The network on functionals of the A-VB and ExVo baselines: three hidden layers with layer normalisation."""

    inputs: int = 88
    """features of a clip"""
    outputs: int = 10
    """classes, or targets of a regression"""
    kind: Literal["classes", "regression"] = "regression"
    """classes: logits and cross-entropy; regression: sigmoids and squared errors"""
    widths: tuple[int, ...] = (128, 64, 32)
    """hidden layers; all but the last have a layer normalisation"""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("classes", "regression"))
        for value in (self.inputs, self.outputs, *self.widths):
            check_positive("width of a layer", value)


@dataclass(frozen=True)
class MultitaskConfig:
    """The ExVo multitask baseline: shared layers and three heads, weighted by learned uncertainties."""

    inputs: int = 88
    """features of a clip"""
    emotions: int = 10
    countries: int = 4
    initial_log_variance: float = -0.33
    """first value of the three learned logarithms of variances"""

    def __post_init__(self) -> None:
        for name in ("inputs", "emotions", "countries"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class AdaptationConfig:
    """Adaptation of a network to the labelled clips of one speaker, as in the ExVo few-shot baseline."""

    lr: float = 1e-3
    """learning rate of AdamW"""
    steps: int = 1
    """gradient steps on the labelled clips; the convolutions stay as they are"""

    def __post_init__(self) -> None:
        check_positive("lr", self.lr)
        check_positive("steps", self.steps)


@dataclass(frozen=True)
class SelectionConfig:
    """Which network a training gives: of the last or of the best evaluation on the validation split, and of which seed.

    The official baselines on functionals stop with patience 5 and a difference of 0.01, and take the best of five.
    """

    keep: Literal["last", "best"] = "last"
    """weights after the last step, or those of the best evaluation"""
    monitor: Literal["loss", "score"] = "loss"
    """what is best: the lowest loss, or the highest UAR, CCC or S_MTL"""
    patience: int = 0
    """evaluations without a better one after which training stops; 0 does all steps"""
    min_delta: float = 0.0
    """smallest difference that counts as better, for `patience`"""
    seeds: int = 1
    """trainings by consecutive seeds, of which that with the best score on the validation split is taken"""

    def __post_init__(self) -> None:
        check_choice("selection.keep", self.keep, ("last", "best"))
        check_choice("selection.monitor", self.monitor, ("loss", "score"))
        check_non_negative("selection.patience", self.patience)
        check_non_negative("selection.min_delta", self.min_delta)
        check_positive("selection.seeds", self.seeds)


def _check_cadence(selection: SelectionConfig, loop: LoopOptions) -> None:
    if not loop.evaluate_every and (selection.patience or selection.keep == "best"):
        raise UsageError("selection compares evaluations between steps; set --loop.evaluate-every, e.g. to an epoch")


OFFICIAL_SELECTION = SelectionConfig(keep="best", patience=5, min_delta=0.01, seeds=5)
"""the official protocol, but with the weights of the best epoch"""


@dataclass(frozen=True)
class EndToEndExperiment:
    """Data, network and training of the end-to-end baseline."""

    data: DataConfig = DataConfig()
    model: EndToEndConfig = EndToEndConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-4)
    selection: SelectionConfig = SelectionConfig()
    loop: LoopOptions = LoopOptions(steps=1000, log_every=50, evaluate_every=250, checkpoint_every=250)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        _check_cadence(self.selection, self.loop)


@dataclass(frozen=True)
class FeaturesExperiment:
    """Data, features, network and training of the baseline on functionals."""

    data: DataConfig = DataConfig()
    features: FeatureConfig = FeatureConfig()
    widths: tuple[int, ...] = (128, 64, 32)
    """hidden layers of the network"""
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, weight_decay=1e-4)
    selection: SelectionConfig = SelectionConfig()
    loop: LoopOptions = LoopOptions(steps=600, log_every=50, evaluate_every=0, checkpoint_every=0)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        _check_cadence(self.selection, self.loop)
        for value in self.widths:
            check_positive("width of a layer", value)


@dataclass(frozen=True)
class MultitaskExperiment:
    """Data, features and training of the ExVo multitask baseline; `data.root` holds `data_info.csv`."""

    data: DataConfig = DataConfig("hume-vocalburst-exvo", Path("hume-vocalburst"))
    features: FeatureConfig = FeatureConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, weight_decay=1e-4)
    selection: SelectionConfig = SelectionConfig()
    loop: LoopOptions = LoopOptions(steps=1000, log_every=50, evaluate_every=0, checkpoint_every=0)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        _check_cadence(self.selection, self.loop)
        if self.data.dataset != "hume-vocalburst-exvo":
            raise UsageError(
                f"data.dataset is {self.data.dataset}, expected hume-vocalburst-exvo, which has ages and countries"
            )


@dataclass(frozen=True)
class FineTuningExperiment:
    """Data, encoder and training of a fine-tuned encoder with a head for classes or ratings (paper, section 3.2)."""

    data: DataConfig = DataConfig()
    encoder: Path = Path("encoder")
    """folder of wav2vec2, HuBERT or WavLM as transformers saves it"""
    frozen: Literal["convolutions", "encoder"] = "convolutions"
    """what keeps its weights: the convolutions below the transformer, or the whole encoder below the head"""
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adamw", lr=3e-5, warmup_steps=100, weight_decay=0.01)
    selection: SelectionConfig = SelectionConfig(keep="best", monitor="score")
    loop: LoopOptions = LoopOptions(steps=1000, log_every=50, evaluate_every=250, checkpoint_every=250)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        _check_cadence(self.selection, self.loop)
        check_choice("frozen", self.frozen, ("convolutions", "encoder"))
