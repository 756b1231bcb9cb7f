"""The paper for the command line: presets, verbs and claims."""

from onepaper.paper import Paper, TrainOptions, Verb

from dct_transformer.cli.options import (
    DecodeOptions,
    EncodeOptions,
    EvaluateOptions,
    SampleOptions,
    StatsOptions,
)
from dct_transformer.config import BaselineConfig, ExperimentConfig
from dct_transformer.presets import ALIASES, PRESETS

PAPER = Paper(
    name="dct-transformer",
    module="dct_transformer",
    title="Generating images with sparse representations",
    authors="Charlie Nash, Jacob Menick, Sander Dieleman, Peter W. Battaglia",
    venue="ICML",
    year=2021,
    arxiv="2103.03841",
    framework="torch",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train", "train a network on lists of triples, or a baseline", "dct_transformer.cli.train:train_verb",
            TrainOptions, "laptop-16", (ExperimentConfig, BaselineConfig),
        ),
        Verb(
            "sample", "draw pictures, or complete one: colourise, upscale, in-paint",
            "dct_transformer.cli.sample:sample_verb", SampleOptions,
        ),
        Verb(
            "evaluate", "measure likelihoods of held-out images and distances of samples: FD-Haar, FID, sFID",
            "dct_transformer.cli.evaluate:evaluate_verb", EvaluateOptions,
        ),
        Verb(
            "encode", "write an image as a list of triples, with a progressive preview",
            "dct_transformer.cli.encode:encode_verb", EncodeOptions,
        ),
        Verb("decode", "write the picture of a list", "dct_transformer.cli.decode:decode_verb", DecodeOptions),
        Verb(
            "stats", "what the lists of images are like: lengths, bands, entropies",
            "dct_transformer.cli.stats:stats_verb", StatsOptions,
        ),
    ),
    claims_in="dct_transformer.claims:CLAIMS",
    cost_of="dct_transformer.cli.costs:cost_of",
)  # fmt: skip
