"""Configurations of data, quantiser, networks and training, as frozen dataclasses that validate fields."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

LANGUAGES = ("en", "es", "fr", "it", "ru")

# Other codecs, by bits a second: modes of Codec2, of which 700 is 700C, and a target of Opus, which is not exact.
PEERS = ("codec2-3200", "codec2-1200", "codec2-700", "opus-6000")

# Measures of decoded speech by other libraries.
METRICS = ("stoi", "pesq", "dnsmos", "speaker")


@dataclass(frozen=True)
class DataConfig:
    """Recordings of speech, and the length of the crops that are trained on."""

    dataset: Literal["prompts", "audio"] = "prompts"
    """prompts: recorded telephone prompts in five languages, included; audio: your folder of audio files"""
    path: Path | None = None
    """of audio: a folder, with train, validation and test in it or split by file"""
    languages: tuple[str, ...] = ("en",)
    """of prompts: en, es, fr, it, ru"""
    crop_seconds: float = 1.0
    """length of a crop"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("prompts", "audio"))
        for language in self.languages:
            check_choice("language", language, LANGUAGES)
        check_positive("crop_seconds", self.crop_seconds)
        if self.dataset == "audio" and self.path is None:
            raise UsageError("dataset 'audio' is read from your files; give their folder with --data.path")
        if self.dataset != "audio" and self.path is not None:
            raise UsageError(f"dataset '{self.dataset}' takes no path; leave it out, or give --data.dataset audio")


@dataclass(frozen=True)
class QuantizerConfig:
    """Slow channels and their levels."""

    channels: int = 4
    """C"""
    levels: int = 7
    """k: levels are -k to k"""
    margin: float = 1.0
    """m, hysteresis of the Schmitt trigger in units of the distance of two levels; 0.5 is plain rounding"""
    bound: Literal["margin", "tanh"] = "margin"
    """what keeps latents between -1 and 1: a margin loss, or tanh"""
    margin_weight: float = 1.0
    """weight of the margin loss"""

    def __post_init__(self) -> None:
        check_positive("channels", self.channels)
        check_positive("levels", self.levels)
        if self.channels > 255 or self.levels > 127:
            raise UsageError(f"{self.channels} channels of {self.levels} levels, expected at most 255 of 127")
        if not 0.5 <= self.margin < 1.5:
            raise UsageError(f"margin is {self.margin}, expected at least 0.5 (plain rounding) and less than 1.5")
        check_choice("bound", self.bound, ("margin", "tanh"))
        check_non_negative("margin_weight", self.margin_weight)


@dataclass(frozen=True)
class ControllerConfig:
    """The weight of the slowness penalty, and how it follows a target event rate."""

    target_rate: float = 75.0
    """R_T, events a second summed over channels; 0 keeps the weight at its initial value"""
    initial: float = 1e-3
    """weight at the first step"""
    step: float = 5e-3
    """delta, relative change of the weight in a step"""
    tolerance: float = 0.01
    """epsilon, half-width of the band around the target in which the weight stays"""
    smallest: float = 1e-8
    largest: float = 1e8
    rate_decay: float = 0.9
    """of the moving average of the event rate that the controller sees; 0: the rate of the batch"""

    def __post_init__(self) -> None:
        check_non_negative("target_rate", self.target_rate)
        check_non_negative("initial", self.initial)
        check_positive("step", self.step)
        check_non_negative("tolerance", self.tolerance)
        check_positive("smallest", self.smallest)
        if not self.smallest < self.largest < math.inf:
            raise UsageError(f"largest is {self.largest}, expected more than smallest, which is {self.smallest}")
        check_between("rate_decay", self.rate_decay, 0.0, 1.0)


@dataclass(frozen=True)
class SlownessConfig:
    """The penalty on changes of the latents."""

    penalty: Literal["group", "l1", "l2", "l4"] = "group"
    group_axis: Literal["channels", "time"] = "channels"
    """of group: changes of all channels in a step are one group, or those of a channel over time"""
    controller: ControllerConfig = ControllerConfig()

    def __post_init__(self) -> None:
        check_choice("penalty", self.penalty, ("group", "l1", "l2", "l4"))
        check_choice("group_axis", self.group_axis, ("channels", "time"))


@dataclass(frozen=True)
class MelConfig:
    """A log-mel spectrogram."""

    bands: int = 48
    hop: int = 16
    """samples between two frames"""
    window: int = 256
    """samples of a Hann window, centred on the hop"""
    lowest: float = 60.0
    """lower edge of the lowest band, in Hz"""
    floor: float = 1e-4
    """added to the magnitude of each band before the logarithm"""

    def __post_init__(self) -> None:
        for name in ("bands", "hop", "window", "lowest", "floor"):
            check_positive(name, getattr(self, name))
        if self.window < self.hop:
            raise UsageError(f"window is {self.window}, expected at least hop, which is {self.hop}")


@dataclass(frozen=True)
class EncoderConfig:
    """Convolutions from samples, or from a log-mel spectrogram, to latents on the grid."""

    inputs: Literal["waveform", "mel"] = "mel"
    """waveform: strided convolutions of the samples; mel: a log-mel spectrogram on the grid, for short trainings"""
    strides: tuple[int, ...] = (2, 2, 2, 2)
    """their product is the number of samples of a grid step"""
    width: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    """of the residual blocks on the grid"""

    def __post_init__(self) -> None:
        check_choice("inputs", self.inputs, ("waveform", "mel"))
        check_positive("width", self.width)
        for name in ("strides", "dilations"):
            if not getattr(self, name):
                raise UsageError(f"{name} is empty, expected at least one number")
            for value in getattr(self, name):
                check_positive(name, value)

    @property
    def stride(self) -> int:
        """Samples of a grid step."""
        return math.prod(self.strides)


@dataclass(frozen=True)
class WaveformConfig:
    """Causal gated convolutions of mu-law codes (van den Oord et al., 2016), of two taps each."""

    width: int = 32
    skip: int = 64
    """width of the sum of all layers' outputs, from which the code is predicted"""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64) * 2
    """in samples"""

    def __post_init__(self) -> None:
        check_positive("width", self.width)
        check_positive("skip", self.skip)
        if not self.dilations:
            raise UsageError("dilations is empty, expected at least one number")
        for value in self.dilations:
            check_positive("dilations", value)

    @property
    def history(self) -> int:
        """Codes before a sample that its probabilities depend on."""
        return sum(self.dilations) + 1


@dataclass(frozen=True)
class DecoderConfig:
    """A network from levels to a log-mel spectrogram, or to probabilities of mu-law codes."""

    kind: Literal["mel", "waveform"] = "mel"
    """mel: a log-mel spectrogram, and sound by the method of Griffin and Lim (1984); waveform: sampled codes"""
    width: int = 96
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    """of the residual blocks on the grid"""
    frame_steps: int = 4
    """grid steps of a spectrogram frame"""
    frame_dilations: tuple[int, ...] = (1, 2, 4)
    """of mel: of the residual blocks on frames"""
    mel: MelConfig = MelConfig(hop=64)
    """of mel: what is predicted; also what reconstructions are compared in"""
    waveform: WaveformConfig = WaveformConfig()
    """of waveform"""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("mel", "waveform"))
        for name in ("width", "frame_steps"):
            check_positive(name, getattr(self, name))
        for value in (*self.dilations, *self.frame_dilations):
            check_positive("dilations", value)


@dataclass(frozen=True)
class ModelConfig:
    """A slow autoencoder."""

    sample_rate: int = 8000
    """f_s, in Hz"""
    quantizer: QuantizerConfig = QuantizerConfig()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    max_length: int = 256
    """L_max, longest run of an event in grid steps"""

    def __post_init__(self) -> None:
        check_positive("sample_rate", self.sample_rate)
        check_positive("max_length", self.max_length)
        expected = self.encoder.stride * self.decoder.frame_steps
        if self.decoder.mel.hop != expected:
            raise UsageError(
                f"decoder.mel.hop is {self.decoder.mel.hop}, expected {expected}: the samples of a grid step times "
                "frame_steps"
            )

    @property
    def grid_rate(self) -> float:
        """f_z, grid steps a second."""
        return self.sample_rate / self.encoder.stride


@dataclass(frozen=True)
class CodebookConfig:
    """The codes of a VQ-VAE."""

    codes: int = 512
    """K"""
    dim: int = 32
    """D, length of a vector"""
    stages: int = 3
    """convolutions of stride 2 after the grid: a code has 2 to the power of it grid steps"""
    decay: float = 0.99
    """gamma, of the moving averages of counts and sums"""
    commitment: float = 0.25
    """weight of the squared distance of the encoder's vectors to their codes"""
    revive_below: float = 0.02
    """a code with a smaller average count in a batch is replaced by a vector of the batch"""

    def __post_init__(self) -> None:
        for name in ("codes", "dim", "stages"):
            check_positive(name, getattr(self, name))
        check_between("decay", self.decay, 0.0, 1.0)
        check_non_negative("commitment", self.commitment)
        if not 0 < self.revive_below < 1:
            raise UsageError(f"revive_below is {self.revive_below}, expected more than 0 and less than 1")


@dataclass(frozen=True)
class VectorQuantizedConfig:
    """A VQ-VAE of the networks of a slow autoencoder."""

    sample_rate: int = 8000
    """f_s, in Hz"""
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    codebook: CodebookConfig = CodebookConfig()

    def __post_init__(self) -> None:
        _ = self.networks  # validates

    @property
    def networks(self) -> ModelConfig:
        """A slow autoencoder whose encoder and decoder have a channel for each dimension of the vectors."""
        quantizer = QuantizerConfig(channels=self.codebook.dim, levels=1)
        return ModelConfig(self.sample_rate, quantizer, self.encoder, self.decoder)

    @property
    def steps_per_code(self) -> int:
        """Grid steps of a code."""
        return 2**self.codebook.stages

    @property
    def samples_per_code(self) -> int:
        """Samples of a code."""
        return self.steps_per_code * self.encoder.stride

    @property
    def code_rate(self) -> float:
        """Codes a second."""
        return self.sample_rate / self.samples_per_code


@dataclass(frozen=True)
class VectorQuantizedExperiment:
    """Data, model and training of a VQ-VAE."""

    data: DataConfig = DataConfig(crop_seconds=0.96)
    model: VectorQuantizedConfig = VectorQuantizedConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=50, checkpoint_every=500)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        codes = self.data.crop_seconds * self.model.code_rate
        if codes < 1 or abs(codes - round(codes)) > 1e-9:
            raise UsageError(
                f"crop_seconds is {self.data.crop_seconds}, expected a whole number of codes of "
                f"{self.model.samples_per_code} samples"
            )
        if self.model.steps_per_code % self.model.decoder.frame_steps:
            raise UsageError(
                f"decoder.frame_steps is {self.model.decoder.frame_steps}, expected a divisor of the "
                f"{self.model.steps_per_code} grid steps of a code"
            )

    @property
    def crop_samples(self) -> int:
        """Samples of a crop."""
        return round(self.data.crop_seconds * self.model.code_rate) * self.model.samples_per_code


@dataclass(frozen=True)
class ExperimentConfig:
    """Data, model and training of a slow autoencoder."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    slowness: SlownessConfig = SlownessConfig()
    batch_size: int = 8
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=50, checkpoint_every=500)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        highest = self.model.quantizer.channels * self.model.grid_rate
        if self.slowness.controller.target_rate >= highest:
            raise UsageError(
                f"target_rate is {self.slowness.controller.target_rate}, expected less than {highest:g}, at which "
                "every channel changes at every step"
            )
        frames = self.data.crop_seconds * self.model.grid_rate / self.model.decoder.frame_steps
        if frames < 2 or abs(frames - round(frames)) > 1e-9:
            raise UsageError(
                f"crop_seconds is {self.data.crop_seconds}, expected a whole number of spectrogram frames of "
                f"{self.model.decoder.mel.hop} samples, at least 2"
            )

    @property
    def crop_steps(self) -> int:
        """Grid steps of a crop."""
        return round(self.data.crop_seconds * self.model.grid_rate)

    @property
    def crop_samples(self) -> int:
        """Samples of a crop."""
        return self.crop_steps * self.model.encoder.stride


@dataclass(frozen=True)
class RunLengthConfig:
    """A run-length Transformer, a language model of events."""

    channels: int = 4
    """C, of the events"""
    levels: int = 7
    """k, of the events"""
    max_length: int = 256
    """L_max, of the events"""
    length: int = 192
    """events of a sequence; the paper's models have 512"""
    width: int = 128
    depth: int = 3
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    dropout: float = 0.1
    mask_values: bool = True
    """a value that cannot follow has probability 0: two runs in a row differ, but for those of the largest length"""
    conditions: tuple[str, ...] = ()
    """names of what sequences can be conditioned on: languages of the prompts; none: no conditions"""
    null_share: float = 0.1
    """share of the sequences of a training that get no condition, so that the model can do without one"""

    def __post_init__(self) -> None:
        for name in ("channels", "levels", "max_length", "width", "depth", "heads", "mlp_ratio"):
            check_positive(name, getattr(self, name))
        if self.length <= self.channels:
            raise UsageError(f"length is {self.length}, expected more than the {self.channels} channels")
        if self.width % self.heads:
            raise UsageError(f"width is {self.width}, expected a multiple of heads, which is {self.heads}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout}, expected at least 0 and less than 1")
        if len(set(self.conditions)) < len(self.conditions):
            raise UsageError(f"conditions are {', '.join(self.conditions)}, expected each once")
        check_between("null_share", self.null_share, 0.0, 1.0)


@dataclass(frozen=True)
class RunLengthExperiment:
    """Codec, data, model and training of a run-length Transformer."""

    codec: str = "laptop"
    """whose events are modelled: a model that ships with the package, the folder of a training run, or `identity`"""
    data: DataConfig = DataConfig()
    """recordings, one after the other; `crop_seconds` has no effect"""
    model: RunLengthConfig = RunLengthConfig()
    batch_size: int = 16
    optimizer: OptimizerOptions = OptimizerOptions(name="adamw", lr=1e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=1000, log_every=50, checkpoint_every=500)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        if self.model.conditions and (self.data.dataset, self.model.conditions) != ("prompts", self.data.languages):
            raise UsageError(
                f"conditions are {', '.join(self.model.conditions)}, expected the languages of the prompts, "
                f"{', '.join(self.data.languages)}"
            )


@dataclass(frozen=True)
class EventSamplingOptions:
    """How events are drawn."""

    temperature: float = 1.0
    """the logits of values and of lengths are divided by it"""
    nucleus: float = 1.0
    """keep the smallest set of values, and of lengths, with this probability (Holtzman et al., 2020); 1: all"""

    def __post_init__(self) -> None:
        check_positive("temperature", self.temperature)
        if not 0 < self.nucleus <= 1:
            raise UsageError(f"nucleus is {self.nucleus}, expected more than 0 and at most 1")
