"""Configurations of data, time warping, models, sampling and training, as frozen dataclasses that validate fields."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

# How BLEU separates words; the names are those of sacrebleu.
Tokenization = Literal["13a", "intl", "char", "zh"]

# The alphabet of `tokens: letters`: lower-case letters, space and full stop.
LETTERS = " .abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class DataConfig:
    """Which text a model is trained on, and how it becomes tokens."""

    dataset: Literal["speeches", "text"] = "speeches"
    """speeches: 233 speeches to the United States Congress, included; text: your file or folder"""
    path: Path | None = None
    """of text: a UTF-8 file, or a folder of .txt files (with train, validation and test in it, or split by file)"""
    tokens: Literal["pieces", "letters"] = "pieces"
    """pieces: SentencePiece, trained without the test part; letters: 28 characters, a to z, space and full stop"""
    part: Literal["train", "evaluator"] = "train"
    """the documents to train on; those of the evaluator are disjoint from those of the models that it evaluates. Of
    your text they are the validation part"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("speeches", "text"))
        check_choice("tokens", self.tokens, ("pieces", "letters"))
        check_choice("part", self.part, ("train", "evaluator"))
        if self.dataset == "text" and self.path is None:
            raise UsageError("dataset 'text' is read from your files; give their path with --data.path")
        if self.dataset != "text" and self.path is not None:
            raise UsageError(f"dataset '{self.dataset}' takes no path; leave it out, or give --data.dataset text")


@dataclass(frozen=True)
class WarpConfig:
    """Noise levels and the time warping, a monotonic piecewise linear map fitted to the loss (paper, appendix A)."""

    t_min: float = 1.0
    """smallest standard deviation of the noise"""
    t_max: float = 300.0
    """largest standard deviation of the noise"""
    bins: int = 100
    """N, segments of the piecewise linear map"""
    floor: float = 1e-3
    """smallest size of a bin before normalisation; the paper gives no value"""
    floor_mode: Literal["paper", "joint"] = "paper"
    """paper: added after the softmax of the output bins; joint: to the unnormalised output bins, which are then
    normalised"""
    domain: Literal["linear", "log"] = "linear"
    """input axis of the map: t (paper) or ln t, an extension"""
    initial: Literal["uniform", "analytic"] = "uniform"
    """uniform: the identity (paper); analytic: the loss of an optimal model of independent uniform tokens with random
    embeddings, for trainings too short to find it"""
    enabled: bool = True
    """draw training noise levels through the map; otherwise t is uniform, and the map is fitted all the same"""
    temperature: float = 1.0
    """T, flattens (above 1) or sharpens the density of noise levels in training; inf: uniform t"""
    uniformity: float = 0.0
    """mu, weight of uniform t in the density of noise levels in training"""
    target: tuple[float, float] = (1.0, 1.0)
    """(a, b) of the Beta distribution function that the loss follows as a function of u; (1, 1): a straight line"""
    ema_decay: float = 0.999
    """of the averaged map, which noise levels are drawn through; the paper gives no value"""
    lr_factor: float = 100.0
    """learning rate of the map divided by that of the network; the paper gives no value"""

    def __post_init__(self) -> None:
        check_positive("t_min", self.t_min)
        check_positive("t_max", self.t_max)
        if self.t_min >= self.t_max:
            raise UsageError(f"t_min is {self.t_min}, expected less than t_max, which is {self.t_max}")
        check_positive("bins", self.bins)
        check_positive("floor", self.floor)
        check_choice("floor_mode", self.floor_mode, ("paper", "joint"))
        check_choice("domain", self.domain, ("linear", "log"))
        check_choice("initial", self.initial, ("uniform", "analytic"))
        check_temperature("warp.temperature", self.temperature)
        check_between("uniformity", self.uniformity, 0.0, 1.0)
        for value in self.target:
            check_positive("target", value)
        check_between("ema_decay", self.ema_decay, 0.0, 1.0)
        check_positive("lr_factor", self.lr_factor)


def check_temperature(name: str, value: float) -> None:
    """Raise `UsageError` unless `value` is above 0; infinity is allowed."""
    if not value > 0:
        raise UsageError(f"{name} is {value}, expected a number above 0")


def check_attention(width: int, heads: int, depth: int, mlp_ratio: int) -> None:
    """Raise `UsageError` unless these make a Transformer with rotary positions."""
    for name, value in (("width", width), ("heads", heads), ("depth", depth), ("mlp_ratio", mlp_ratio)):
        check_positive(name, value)
    if width % heads or width // heads % 2:
        raise UsageError(
            f"width is {width} for {heads} heads, expected heads of an even number of channels, for rotary positions"
        )


@dataclass(frozen=True)
class ModelConfig:
    """A bidirectional Transformer that classifies every position of a noisy sequence (paper, section 4)."""

    vocab_size: int = 1024
    """V"""
    length: int = 32
    """L, positions of a sequence"""
    embed_dim: int = 64
    """d, width of the token embeddings, to which the noise is added"""
    width: int = 128
    """width of the Transformer"""
    depth: int = 4
    """number of blocks"""
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    time_width: int = 128
    """channels of the time features and of the MLP on them"""
    time_conditioning: bool = True
    """shift and scale every layer normalisation by the noise level"""
    time_features: Literal["fourier", "sines"] = "fourier"
    """fourier: random Fourier features of ln t; sines: sines of multiples of t, those of imported networks of Plaid"""
    rotary: bool = True
    """rotary positions; without any position the network is equivariant to permutations"""
    embed_scale: float = 1e-3
    """standard deviation of the initial embeddings, before normalisation"""
    normalize: bool = True
    """L2-normalise the embeddings; without, their norm grows without bound (paper, section 3.2)"""
    self_conditioning: bool = True
    """feed the previous prediction to the network"""
    renormalize: bool = False
    """scale predictions to the norm of the embeddings"""
    clamp: bool = False
    """replace predictions by the nearest embedding"""
    logits_chunk: int = 0
    """positions whose logits are in memory at once; affects memory, not results; 0: all"""
    remat: bool = False
    """rematerialize the activations of each block in the backward pass"""
    warp: WarpConfig = WarpConfig()

    def __post_init__(self) -> None:
        check_attention(self.width, self.heads, self.depth, self.mlp_ratio)
        for name in ("vocab_size", "length", "embed_dim", "time_width", "embed_scale"):
            check_positive(name, getattr(self, name))
        if self.vocab_size < 2:
            raise UsageError(f"vocab_size is {self.vocab_size}, expected at least 2")
        if self.time_width % 2:
            raise UsageError(f"time_width is {self.time_width}, expected an even number: sines and cosines")
        check_choice("time_features", self.time_features, ("fourier", "sines"))
        check_non_negative("logits_chunk", self.logits_chunk)


@dataclass(frozen=True)
class MaskConfig:
    """Which tokens are given in training (paper, section 4.1); the rest is noisy and predicted."""

    strategy: Literal["mixed", "prefix", "random", "fixed-prefix", "none"] = "mixed"
    """mixed: prefix with the probability `prefix_share`, otherwise random; prefix: the first k tokens are given,
    k uniform from 0 to L - 1; random: any k tokens; fixed-prefix: the first `prefix`; none: nothing is given"""
    prefix_share: float = 0.5
    """probability of a prefix under mixed"""
    prefix: int = 0
    """tokens given under fixed-prefix"""
    dropout: float = 0.1
    """probability that the given tokens of an example are hidden from the network, for guidance"""

    def __post_init__(self) -> None:
        check_choice("strategy", self.strategy, ("mixed", "prefix", "random", "fixed-prefix", "none"))
        check_between("prefix_share", self.prefix_share, 0.0, 1.0)
        check_non_negative("prefix", self.prefix)
        check_between("mask.dropout", self.dropout, 0.0, 1.0)


@dataclass(frozen=True)
class ExperimentConfig:
    """Data, model and training of a diffusion language model."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    mask: MaskConfig = MaskConfig()
    batch_size: int = 128
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, betas=(0.9, 0.99), clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        if self.model.self_conditioning and self.batch_size % (2 * self.optimizer.accumulation):
            raise UsageError(
                f"batch_size is {self.batch_size} in {self.optimizer.accumulation} parts, expected an even number in "
                "each: half of the examples are self-conditioned"
            )
        if self.mask.prefix >= self.model.length:
            raise UsageError(f"mask.prefix is {self.mask.prefix}, expected less than the {self.model.length} positions")


@dataclass(frozen=True)
class AutoregressiveConfig:
    """A causal Transformer: the evaluator of samples, and the baseline of equal size."""

    vocab_size: int = 1024
    """V; one more embedding stands for the start"""
    length: int = 32
    """L, positions of a sequence"""
    width: int = 192
    depth: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""

    def __post_init__(self) -> None:
        check_attention(self.width, self.heads, self.depth, self.mlp_ratio)
        check_positive("vocab_size", self.vocab_size)
        check_positive("length", self.length)


@dataclass(frozen=True)
class AutoregressiveExperiment:
    """Data, model and training of a causal language model."""

    data: DataConfig = DataConfig(part="evaluator")
    model: AutoregressiveConfig = AutoregressiveConfig()
    batch_size: int = 128
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)


@dataclass(frozen=True)
class PairsConfig:
    """Sentences and their translations."""

    dataset: Literal["verses", "pairs"] = "verses"
    """verses: English and Spanish verses of the Bible, included; pairs: your parallel text"""
    path: Path | None = None
    """of pairs: a folder of files NAME.SOURCE and NAME.TARGET with a sentence in each line, NAME.SOURCE-TARGET.tsv with
    two columns, or NAME-src.SOURCE.sgm and NAME-ref.TARGET.sgm; text files may end in .gz"""
    source: str = "en"
    """language of the source, as it stands in the names of the files"""
    target: str = "es"
    """language of the target"""
    validation: str = "validation"
    """NAME of the validation part, e.g. newstest2013"""
    test: str = "test"
    """NAME of the test part, e.g. newstest2014; all other files are for training"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("verses", "pairs"))
        if self.dataset == "pairs" and self.path is None:
            raise UsageError("dataset 'pairs' is read from your files; give their folder with --data.path")
        if self.dataset == "verses" and self.path is not None:
            raise UsageError("dataset 'verses' takes no path; leave it out, or give --data.dataset pairs")
        if self.dataset == "verses" and {self.source, self.target} != {"en", "es"}:
            raise UsageError(f"dataset 'verses' has en and es, got {self.source} and {self.target}")
        if self.source == self.target or self.validation == self.test:
            raise UsageError("source and target, and validation and test, must differ")


def check_encoder_decoder(config: "TranslationConfig | CausalTranslationConfig") -> None:
    """Raise `UsageError` unless the sizes make an encoder and a decoder."""
    names = ("source_length", "length", "width", "depth", "encoder_depth", "heads", "mlp_ratio")
    for name in names:
        check_positive(name, getattr(config, name))
    if config.width % config.heads or config.width % 2:
        raise UsageError(f"width is {config.width}, expected an even multiple of heads, which are {config.heads}")
    if config.vocab_size < 4:
        raise UsageError(f"vocab_size is {config.vocab_size}, expected at least 4: three tokens are reserved")


@dataclass(frozen=True)
class TranslationConfig:
    """An encoder of the source and a bidirectional decoder that classifies a noisy target (paper, section 4.4)."""

    vocab_size: int = 2048
    """V, of both languages together; three tokens are padding, begin and end"""
    source_length: int = 40
    """longest source, with its end"""
    length: int = 40
    """L, positions of the target: begin, tokens, end, padding; all of them are predicted"""
    embed_dim: int = 64
    """d, width of the token embeddings, to which the noise is added"""
    width: int = 128
    """width of both Transformers"""
    encoder_depth: int = 2
    """number of blocks of the encoder"""
    depth: int = 2
    """number of blocks of the decoder"""
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    time_width: int = 128
    """channels of the features of noise level and source length, and of the MLPs on them"""
    length_conditioning: bool = True
    """shift and scale every layer normalisation of the decoder by the length of the source too"""
    embed_scale: float = 1e-3
    """standard deviation of the initial embeddings, before normalisation"""
    self_conditioning: bool = True
    """feed the previous prediction to the network"""
    logits_chunk: int = 0
    """positions whose logits are in memory at once; affects memory, not results; 0: all"""
    remat: bool = False
    """rematerialize the activations of each block in the backward pass"""
    warp: WarpConfig = WarpConfig()

    def __post_init__(self) -> None:
        check_encoder_decoder(self)
        for name in ("embed_dim", "time_width", "embed_scale"):
            check_positive(name, getattr(self, name))
        if self.time_width % 2:
            raise UsageError(f"time_width is {self.time_width}, expected an even number: sines and cosines")
        check_non_negative("logits_chunk", self.logits_chunk)


@dataclass(frozen=True)
class TranslationExperiment:
    """Data, model and training of a diffusion model of translations."""

    data: PairsConfig = PairsConfig()
    model: TranslationConfig = TranslationConfig()
    dropout: float = 0.1
    """probability that the source of an example is hidden from the decoder, for guidance"""
    batch_size: int = 64
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, betas=(0.9, 0.99), clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        check_between("dropout", self.dropout, 0.0, 1.0)
        if self.model.self_conditioning and self.batch_size % (2 * self.optimizer.accumulation):
            raise UsageError(
                f"batch_size is {self.batch_size} in {self.optimizer.accumulation} parts, expected an even number in "
                "each: half of the examples are self-conditioned"
            )


@dataclass(frozen=True)
class CausalTranslationConfig:
    """An encoder and a causal decoder with one table of embeddings (Vaswani et al., 2017), the baseline."""

    vocab_size: int = 2048
    """V, of both languages together; three tokens are padding, begin and end"""
    source_length: int = 40
    """longest source, with its end"""
    length: int = 40
    """L, longest target with its begin and end"""
    width: int = 128
    encoder_depth: int = 2
    """number of blocks of the encoder"""
    depth: int = 2
    """number of blocks of the decoder"""
    heads: int = 4
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""

    def __post_init__(self) -> None:
        check_encoder_decoder(self)


@dataclass(frozen=True)
class CausalTranslationExperiment:
    """Data, model and training of the autoregressive baseline."""

    data: PairsConfig = PairsConfig()
    model: CausalTranslationConfig = CausalTranslationConfig()
    label_smoothing: float = 0.1
    """part of each target distribution that is uniform"""
    batch_size: int = 64
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, betas=(0.9, 0.98), clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        check_between("label_smoothing", self.label_smoothing, 0.0, 1.0)


@dataclass(frozen=True)
class SamplingOptions:
    """How the probability-flow differential equation is solved (paper, section 6.4 and table 2)."""

    steps: int = 200
    """N, steps from t_max to t_min"""
    solver: Literal["euler", "heun"] = "euler"
    """heun evaluates the network twice a step"""
    spacing: Literal["warped", "karras", "warped-karras"] = "warped"
    """times of the steps: warped: uniform in u; karras: by the exponent rho, without the time warping; warped-karras:
    these, scaled to [0, 1] and then warped"""
    rho: float = 1.0
    """exponent of the spacing of Karras et al. (2022); 1: evenly spaced"""
    final: Literal["evaluate", "prediction", "state"] = "evaluate"
    """the tokens: most probable ones of one more evaluation at t_min, or the embeddings nearest to the last prediction
    or to the last state, without it"""
    score_temperature: float = 1.0
    """the score is divided by it; below 1 it sharpens"""
    softmax_temperature: float = 1.0
    """the logits are divided by it"""
    nucleus: float = 1.0
    """keep the smallest set of tokens with at least this probability"""
    guidance: float = 1.0
    """scale of classifier-free guidance; 1: none"""
    guided_prediction: Literal["own", "conditional", "guided"] = "own"
    """what self-conditioning feeds back under guidance: to each branch its own prediction, or to both that one"""
    initial_scale: float = 1.0
    """factor of the initial noise; below 1 lowers entropy"""

    def __post_init__(self) -> None:
        check_positive("steps", self.steps)
        check_choice("solver", self.solver, ("euler", "heun"))
        check_choice("spacing", self.spacing, ("warped", "karras", "warped-karras"))
        check_positive("rho", self.rho)
        check_choice("final", self.final, ("evaluate", "prediction", "state"))
        check_positive("score_temperature", self.score_temperature)
        check_positive("softmax_temperature", self.softmax_temperature)
        check_positive("nucleus", self.nucleus)
        check_between("nucleus", self.nucleus, 0.0, 1.0)
        check_choice("guided_prediction", self.guided_prediction, ("own", "conditional", "guided"))
        check_positive("initial_scale", self.initial_scale)
        if not math.isfinite(self.guidance):
            raise UsageError(f"guidance is {self.guidance}, expected a finite number")
