"""Configurations of front end, networks and training, as frozen dataclasses that validate fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

Architecture = Literal[
    "slowfast-nfnet",
    "slow-nfnet",
    "fast-nfnet",
    "slowfast-resnet50",
    "resnet50",
    "efficientnet-b0",
    "cnn14",
    "byola-cnn",
    "vit",
    "statistics",
]
Norm = Literal["batch", "none", "layer", "instance"]
Objective = Literal["simclr", "cola", "cpc", "byol", "supervised"]
CONTRASTIVE: tuple[Objective, ...] = ("simclr", "cola", "cpc")


@dataclass(frozen=True)
class FrontEndConfig:
    """Log-mel spectrogram (paper, section 3 and appendix C); where the paper gives no value, a field says so."""

    rate: int = 16_000
    """sampling rate, in Hz"""
    window: int = 400
    """samples of a frame: 25 ms"""
    hop: int = 160
    """samples between frames: 10 ms"""
    fft: int = 512
    """length of the Fourier transform; the paper gives no value"""
    mels: int = 80
    """mel bands"""
    low: float = 60.0
    """lower edge of the first band, in Hz; the paper gives no value"""
    high: float = 7800.0
    """upper edge of the last band, in Hz; the paper gives no value"""
    scale: Literal["htk", "slaney"] = "htk"
    """formula of the mel scale, as librosa and torchaudio name them; the paper gives no value"""
    area_norm: bool = False
    """scale each filter to unit area (norm='slaney' of librosa and torchaudio)"""
    power: Literal[1, 2] = 2
    """1: magnitudes, 2: powers; the paper gives no value"""
    offset: float = 1e-6
    """added before the logarithm; the paper gives no value"""
    standardize: bool = True
    """subtract the mean of each example's spectrogram and divide by its standard deviation"""

    def __post_init__(self) -> None:
        for name in ("rate", "window", "hop", "fft", "mels", "offset"):
            check_positive(name, getattr(self, name))
        if not 0 <= self.low < self.high <= self.rate / 2:
            raise UsageError(f"bands from {self.low} to {self.high} Hz, expected 0 <= low < high <= {self.rate / 2}")
        if self.fft < self.window:
            raise UsageError(f"fft is {self.fft}, expected at least the window, {self.window}")
        check_choice("scale", self.scale, ("htk", "slaney"))
        check_choice("power", str(self.power), ("1", "2"))


@dataclass(frozen=True)
class EncoderConfig:
    """A network from log-mel spectrograms to one embedding a clip."""

    architecture: Architecture = "slowfast-nfnet"
    """statistics: mean and standard deviation of each band, without a network"""
    front_end: FrontEndConfig = FrontEndConfig()
    width: int = 256
    """channels: of the first slow stage (nfnet), of the stem (slowfast-resnet50, cnn14), of the embedding (byola-cnn,
    vit); resnet50 and efficientnet-b0 have one size"""
    depths: tuple[int, ...] = (1, 2, 6, 3)
    """blocks of the four stages (nfnet, slowfast-resnet50); their sum is the depth of vit"""
    slow_group: int = 128
    """channels of a group in the slow stream's convolutions (nfnet)"""
    fast_group: int = 16
    """channels of a group in the fast stream's convolutions (nfnet)"""
    final_conv: bool = True
    """1x1 convolution to twice the channels before pooling (nfnet); in the official code, not in the paper's table 5"""
    slow_input: Literal["maxpool", "stride"] = "maxpool"
    """how the slow stream keeps one of four frames: maxpool (official code), stride (paper, table 5)"""
    stochastic_depth: float = 0.1
    """largest rate at which a block of nfnet is dropped in training (paper, appendix B)"""
    norm: Norm = "batch"
    """normalisation of slowfast-resnet50 (paper, table 3)"""
    max_frames: int = 512
    """frames for which vit has positions"""

    def __post_init__(self) -> None:
        check_choice("architecture", self.architecture, get_args(Architecture))
        check_choice("norm", self.norm, get_args(Norm))
        check_choice("slow_input", self.slow_input, ("maxpool", "stride"))
        for name in ("width", "slow_group", "fast_group", "max_frames"):
            check_positive(name, getattr(self, name))
        if len(self.depths) != 4:
            raise UsageError(f"depths are {self.depths}, expected four numbers of blocks")
        for depth in self.depths:
            check_positive("depths", depth)
        check_between("stochastic_depth", self.stochastic_depth, 0.0, 1.0)
        if self.architecture.endswith("nfnet"):
            self._check_streams()
        if self.architecture == "vit" and self.width % 64:
            raise UsageError(f"width of vit is {self.width}, expected a multiple of 64, the width of a head")

    def _check_streams(self) -> None:
        if self.width % 32:
            raise UsageError(f"width of {self.architecture} is {self.width}, expected a multiple of 32")
        streams = (("slow_group", self.slow_group, self.width), ("fast_group", self.fast_group, self.width // 8))
        for name, group, width in streams:
            if self.architecture.startswith(("slowfast", name[:4])) and width // 2 % group:
                raise UsageError(f"{name} is {group}, expected a divisor of {width // 2}, half of the first stage")


@dataclass(frozen=True)
class PoolConfig:
    """What a network is trained on, without or with labels."""

    source: Literal["folder", "embedded"] = "folder"
    """folder: your audio; embedded: the clips of a mini task, which it is then also evaluated on"""
    path: Path | None = None
    """of folder: where your audio is; its first level of folders are the labels of a supervised training"""
    task: str = "mini_instruments"
    """of embedded: whose clips and labels"""

    def __post_init__(self) -> None:
        check_choice("source", self.source, ("folder", "embedded"))


@dataclass(frozen=True)
class CpcConfig:
    """Contrastive predictive coding (van den Oord et al., 2018) of windows of the spectrogram, in both directions."""

    frames: int = 32
    """frames of a window, each of which the encoder embeds"""
    hop: int = 16
    """frames between windows"""
    ahead: int = 3
    """how many windows ahead are predicted"""
    context: int = 256
    """units of the recurrent network of each direction"""

    def __post_init__(self) -> None:
        for name in ("frames", "hop", "ahead", "context"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class ByolConfig:
    """BYOL with the augmentations of BYOL-A (Niizumi et al., 2021)."""

    decay: float = 0.99
    """share of the target network's weights that a step keeps"""
    mix: float = 0.4
    """largest weight of another example of the batch, mixed with an example as powers"""
    scales: tuple[float, float] = (0.6, 1.5)
    """range of the crop's size, in both axes, as a share of the spectrogram's"""
    canvas: float = 1.5
    """length of the area of zeros around the spectrogram from which is cropped, as a share of its length"""

    def __post_init__(self) -> None:
        check_between("decay", self.decay, 0.0, 1.0)
        check_between("mix", self.mix, 0.0, 1.0)
        if not 0 < self.scales[0] <= self.scales[1]:
            raise UsageError(f"scales are {self.scales}, expected two positive numbers in increasing order")
        if self.canvas < 1:
            raise UsageError(f"canvas is {self.canvas}, expected at least 1")


@dataclass(frozen=True)
class TrainConfig:
    """A pre-training (paper, section 3 and appendix C)."""

    encoder: EncoderConfig = EncoderConfig()
    pool: PoolConfig = PoolConfig()
    objective: Objective = "simclr"
    seconds: float = 3.0
    """length of a crop"""
    mix: tuple[float, float] = (5.0, 2.0)
    """Beta distribution of the weight of an example that is mixed with another of the batch (paper, appendix C)"""
    mix_domain: Literal["power", "log", "none"] = "power"
    """where examples are mixed: mel powers, logarithms, or not at all; the paper names both spectrograms and samples"""
    temperature: float = 0.1
    """tau of the contrastive loss"""
    projector_width: int = 4096
    """units of the projector's three hidden layers"""
    projection: int = 512
    """units of its output; the paper gives no value"""
    cpc: CpcConfig = CpcConfig()
    byol: ByolConfig = ByolConfig()
    cached_rows: int = 0
    """of simclr, cola and cpc: spectrograms (or windows) whose activations are in memory at a time, at the cost of a
    second forward pass; 0 keeps those of all"""
    batch_size: int = 4096
    optimizer: OptimizerOptions = OptimizerOptions(
        name="adam", lr=2e-4, schedule="cosine", warmup_steps=5000, clip_norm=0.0, ema_decay=0.0
    )
    loop: LoopOptions = LoopOptions(steps=200_000, log_every=100, checkpoint_every=5000)

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, get_args(Objective))
        check_choice("mix_domain", self.mix_domain, ("power", "log", "none"))
        for name in ("seconds", "temperature", "projector_width", "projection", "batch_size"):
            check_positive(name, getattr(self, name))
        for value in self.mix:
            check_positive("mix", value)
        if self.batch_size < 2:
            raise UsageError(f"batch_size is {self.batch_size}, expected at least 2: a loss contrasts examples")
        if self.encoder.architecture == "statistics":
            raise UsageError("architecture 'statistics' has no parameters to train; choose a network")
        check_non_negative("cached_rows", self.cached_rows)
        if self.cached_rows and self.objective not in CONTRASTIVE:
            raise UsageError(f"cached_rows is for {', '.join(CONTRASTIVE)}, not for {self.objective}; set it to 0")
        frames = 1 + (round(self.seconds * self.encoder.front_end.rate) - self.encoder.front_end.window) // (
            self.encoder.front_end.hop
        )
        if self.objective == "cpc" and frames < self.cpc.frames + self.cpc.ahead * self.cpc.hop:
            needed = self.cpc.frames + self.cpc.ahead * self.cpc.hop
            raise UsageError(
                f"a crop has {frames} frames, expected at least {needed} to predict {self.cpc.ahead} ahead"
            )
        check_non_negative("shortest crop", self.seconds * self.encoder.front_end.rate - self.encoder.front_end.window)
