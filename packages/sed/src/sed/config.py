"""Configurations of data, embeddings, models, sampling and training, as frozen dataclasses that validate fields."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions
from onepaper.training import LoopOptions

TASKS = ("unconditional", "suffix", "prefix", "middle", "spans")
"""What one network does (paper, section 3.1): nothing is given, or some half of the positions."""


@dataclass(frozen=True)
class DataConfig:
    """Which text a model is trained on, and how it becomes tokens."""

    dataset: Literal["kjv", "text"] = "kjv"
    """kjv: the King James Bible, included; text: your file or folder"""
    path: Path | None = None
    """of text: a UTF-8 file, or a folder of .txt files (with train, validation and test in it, or split by file)"""
    tokens: Literal["pieces", "characters"] = "pieces"
    """pieces: SentencePiece, learned from the training part; characters: those of the training part"""
    pad_fraction: float = 0.1
    """padding in each window, at random positions, so that a model of fixed length writes texts of variable length"""
    padding: Literal["fixed", "bernoulli"] = "fixed"
    """fixed: the same number of padding tokens in each window; bernoulli: each position is padding with this
    probability"""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("kjv", "text"))
        check_choice("tokens", self.tokens, ("pieces", "characters"))
        check_choice("padding", self.padding, ("fixed", "bernoulli"))
        if not 0 <= self.pad_fraction < 1:
            raise UsageError(f"pad_fraction is {self.pad_fraction}, expected at least 0 and less than 1")
        if self.dataset == "text" and self.path is None:
            raise UsageError("dataset 'text' is read from your files; give their path with --data.path")
        if self.dataset != "text" and self.path is not None:
            raise UsageError(f"dataset '{self.dataset}' takes no path; leave it out, or give --data.dataset text")


@dataclass(frozen=True)
class EmbeddingConfig:
    """The table of token embeddings, in which the diffusion runs (paper, section 3.1); fixed unless it is learned."""

    source: Literal["pretrained", "random", "bits", "file", "learned"] = "pretrained"
    """pretrained: of a masked language model of this package; random: Gaussian rows; bits: the token's number in
    binary (paper, table 5); file: your own table, a row for each token; learned: Gaussian rows at first, trained with
    the network, which may collapse"""
    weights: str = "kjv-embeddings"
    """of pretrained: a masked model that ships with the package, or the folder of its training; its tokenizer is used
    too"""
    path: Path | None = None
    """of file: npy, npz or safetensors with the rows in the order of the tokens, or .txt or .vec in the text format of
    word2vec or GloVe, with the names of the tokens"""
    key: str = ""
    """of file: name of the array in an npz or safetensors file; empty: the only one"""

    def __post_init__(self) -> None:
        check_choice("source", self.source, ("pretrained", "random", "bits", "file", "learned"))
        if (self.source == "file") != (self.path is not None):
            raise UsageError(
                f"embeddings of source '{self.source}' with path {self.path}, expected a path with --embeddings.source "
                "file, and only there"
            )


@dataclass(frozen=True)
class ScheduleConfig:
    """Noise of the forward process (paper, sections 3.1 and 4.1)."""

    steps: int = 1000
    """T"""
    beta_1: float = 2e-3
    """noise of the first step; that of the cosine schedule is smaller"""
    beta_1_mode: Literal["first", "floor", "none"] = "first"
    """how it changes the cosine schedule: first: only step 1; floor: no step has less; none: not at all. The paper
    gives the number only"""
    sigma_0: float = 1e-2
    """standard deviation of the noise on embeddings at step 0"""

    def __post_init__(self) -> None:
        check_positive("schedule.steps", self.steps)
        check_between("beta_1", self.beta_1, 0.0, 1.0)
        check_choice("beta_1_mode", self.beta_1_mode, ("first", "floor", "none"))
        check_non_negative("sigma_0", self.sigma_0)


def check_transformer(config: "ModelConfig | MaskedConfig | AutoregressiveConfig") -> None:
    """Raise `UsageError` unless the sizes make a Transformer."""
    for name in ("vocab_size", "width", "depth", "heads", "head_size", "mlp_ratio"):
        check_positive(name, getattr(config, name))
    if config.length < 2:
        raise UsageError(f"length is {config.length}, expected at least 2")
    if config.width % 2:
        raise UsageError(f"width is {config.width}, expected an even number: sines and cosines of the offsets")


@dataclass(frozen=True)
class ModelConfig:
    """A bidirectional Transformer that predicts clean embeddings (paper, sections 3 and A)."""

    vocab_size: int = 2048
    """V, with padding and the end of a document"""
    length: int = 32
    """N, positions of a sequence"""
    embed_dim: int = 32
    """D, width of the token embeddings, to which the noise is added"""
    width: int = 96
    """d, width of the Transformer"""
    depth: int = 3
    """number of blocks"""
    heads: int = 4
    head_size: int = 24
    """channels of each head; heads times head_size need not be the width"""
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    self_conditioning: Literal["both", "coin", "off"] = "both"
    """in training: both: each example without and then with its own estimate, both in the loss (paper); coin: every
    second example with its estimate; off: none"""
    cond_input: Literal["concat", "inplace"] = "concat"
    """how given tokens enter: concat: in channels of their own, with the mask; inplace: in place of the noisy ones. The
    paper does not say"""
    remat: bool = False
    """rematerialize the activations of each block in the backward pass"""
    bits: bool = False
    """the embeddings are the bits of the token's number, and decoding is their sign; there is no readout"""
    schedule: ScheduleConfig = ScheduleConfig()

    def __post_init__(self) -> None:
        check_transformer(self)
        check_positive("embed_dim", self.embed_dim)
        check_choice("self_conditioning", self.self_conditioning, ("both", "coin", "off"))
        check_choice("cond_input", self.cond_input, ("concat", "inplace"))
        needed = max(1, (self.vocab_size - 1).bit_length())
        if self.bits and self.embed_dim != needed:
            raise UsageError(f"embed_dim is {self.embed_dim}, expected {needed} bits for {self.vocab_size} tokens")


@dataclass(frozen=True)
class SpanConfig:
    """Which tokens are given in training (paper, section 3.2); the rest is noisy and predicted."""

    max_spans: int = 5
    """M: a sequence is cut into at most so many spans, of which every second is given; 1: nothing is given"""
    dropout: float = 0.1
    """probability that the given tokens and the own estimate of an example are hidden, for guidance; the paper gives no
    value"""

    def __post_init__(self) -> None:
        check_positive("max_spans", self.max_spans)
        check_between("spans.dropout", self.dropout, 0.0, 1.0)


@dataclass(frozen=True)
class ExperimentConfig:
    """Data, embeddings, model and training of a diffusion language model."""

    data: DataConfig = DataConfig()
    embeddings: EmbeddingConfig = EmbeddingConfig()
    model: ModelConfig = ModelConfig()
    spans: SpanConfig = SpanConfig()
    batch_size: int = 128
    readout_positions: int = 0
    """positions of each sequence that the readout is trained on, drawn at random; 0: all"""
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, betas=(0.9, 0.99), clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        check_non_negative("readout_positions", self.readout_positions)
        if self.spans.max_spans > self.model.length:
            raise UsageError(
                f"max_spans is {self.spans.max_spans}, expected at most the {self.model.length} positions of a sequence"
            )
        if self.readout_positions > self.model.length:
            raise UsageError(
                f"readout_positions is {self.readout_positions}, expected at most the {self.model.length} positions"
            )
        if (self.embeddings.source == "bits") != self.model.bits:
            raise UsageError(
                f"embeddings.source is '{self.embeddings.source}' with model.bits {self.model.bits}, expected both "
                "or neither to be bits"
            )
        if self.model.self_conditioning == "coin" and self.batch_size % (2 * self.optimizer.accumulation):
            raise UsageError(
                f"batch_size is {self.batch_size} in {self.optimizer.accumulation} parts, expected an even number in "
                "each: half of the examples are self-conditioned"
            )


@dataclass(frozen=True)
class MaskedConfig:
    """A masked language model whose token embeddings the diffusion uses (paper, section 3.1: BERT)."""

    vocab_size: int = 2048
    """V, with padding and the end of a document; one more row stands for the mask"""
    length: int = 32
    """N, positions of a sequence"""
    embed_dim: int = 32
    """D, width of the token embeddings, below that of the Transformer"""
    width: int = 96
    depth: int = 3
    heads: int = 4
    head_size: int = 24
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""
    mask_rate: float = 0.15
    """probability that a token is to be predicted; of these 80% are masked, 10% replaced, 10% kept (Devlin et al.,
    2019)"""

    def __post_init__(self) -> None:
        check_transformer(self)
        check_positive("embed_dim", self.embed_dim)
        check_positive("mask_rate", self.mask_rate)
        check_between("mask_rate", self.mask_rate, 0.0, 1.0)


@dataclass(frozen=True)
class MaskedExperiment:
    """Data, model and training of a masked language model."""

    data: DataConfig = DataConfig()
    model: MaskedConfig = MaskedConfig()
    batch_size: int = 128
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=2e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=2000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)


@dataclass(frozen=True)
class AutoregressiveConfig:
    """The same Transformer with causal attention: the evaluator of samples, and the baseline of equal size."""

    vocab_size: int = 2048
    """V; one more embedding stands for the start"""
    length: int = 32
    """N, positions of a sequence"""
    width: int = 128
    depth: int = 4
    heads: int = 4
    head_size: int = 32
    mlp_ratio: int = 4
    """hidden width of each MLP divided by the width"""

    def __post_init__(self) -> None:
        check_transformer(self)


@dataclass(frozen=True)
class AutoregressiveExperiment:
    """Data, model and training of a causal language model."""

    data: DataConfig = DataConfig(pad_fraction=0.0)
    model: AutoregressiveConfig = AutoregressiveConfig()
    batch_size: int = 128
    optimizer: OptimizerOptions = OptimizerOptions(name="adam", lr=1e-3, clip_norm=1.0)
    loop: LoopOptions = LoopOptions(steps=3000, log_every=100, checkpoint_every=1000)

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        if self.data.pad_fraction:
            raise UsageError(f"pad_fraction is {self.data.pad_fraction}, expected 0: a causal model needs no padding")


@dataclass(frozen=True)
class SamplingOptions:
    """How noise becomes text (paper, sections 3.1 and 3.2)."""

    steps: int = 1000
    """steps from T to 0, at most T"""
    sampler: Literal["ddpm", "ddim"] = "ddpm"
    """ddpm: the posterior (paper, eq. 3); ddim: without noise (Song et al., 2021)"""
    guidance: float = 1.0
    """s, scale of classifier-free guidance; 1: none"""
    self_conditioning: bool = True
    """feed the previous estimate to the network; off: zeros, also where it was trained with estimates"""
    guided_estimate: bool = True
    """under guidance feed back the guided estimate; otherwise the conditional one"""
    clamp_below: int = 0
    """from this step of T on, each estimate is replaced by the nearest embedding; 0: never"""
    initial_scale: float = 1.0
    """factor of the initial noise; below 1 lowers entropy"""

    def __post_init__(self) -> None:
        check_positive("sampling.steps", self.steps)
        check_choice("sampler", self.sampler, ("ddpm", "ddim"))
        check_positive("initial_scale", self.initial_scale)
        check_non_negative("clamp_below", self.clamp_below)
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise UsageError(f"guidance is {self.guidance}, expected a finite number of at least 0")
