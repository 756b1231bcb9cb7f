"""The paper's entry for the command line: metadata, presets, verbs and claims."""

from onepaper.paper import Paper, TrainOptions, Verb

from slowae_rlt.cli.options import (
    CompareCodecsOptions,
    DecodeOptions,
    EncodeOptions,
    EvaluateLanguageModelOptions,
    EvaluateOptions,
    GenerateOptions,
)
from slowae_rlt.config import ExperimentConfig, RunLengthExperiment, VectorQuantizedExperiment
from slowae_rlt.presets import ALIASES, PRESETS

PAPER = Paper(
    name="slowae-rlt",
    module="slowae_rlt",
    title="Variable-rate discrete representation learning",
    authors="Sander Dieleman, Charlie Nash, Jesse Engel, Karen Simonyan",
    venue="arXiv preprint 2103.06089",
    year=2021,
    arxiv="2103.06089",
    framework="jax",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train a slow autoencoder, a VQ-VAE, or a language model of events",
            "slowae_rlt.cli.train:train_verb",
            TrainOptions,
            "laptop",
            (ExperimentConfig, RunLengthExperiment, VectorQuantizedExperiment),
        ),
        Verb("encode", "a recording to a file of events", "slowae_rlt.cli.encode:encode_verb", EncodeOptions),
        Verb("decode", "a file of events to sound", "slowae_rlt.cli.decode:decode_verb", DecodeOptions),
        Verb(
            "evaluate",
            "measure event rates, bits and errors on held-out prompts",
            "slowae_rlt.cli.evaluate:evaluate_verb",
            EvaluateOptions,
        ),
        Verb(
            "generate",
            "sound of sampled events, from nothing or going on after a recording",
            "slowae_rlt.cli.generate:generate_verb",
            GenerateOptions,
        ),
        Verb(
            "evaluate-language-model",
            "bits a second of a language model of events and of n-grams",
            "slowae_rlt.cli.evaluate_language_model:evaluate_language_model_verb",
            EvaluateLanguageModelOptions,
        ),
        Verb(
            "compare-codecs",
            "bits a second and errors of this package's codecs, Codec2 and Opus",
            "slowae_rlt.cli.compare_codecs:compare_codecs_verb",
            CompareCodecsOptions,
        ),
    ),
    claims_in="slowae_rlt.claims:CLAIMS",
    cost_of="slowae_rlt.cli.costs:cost_of",
)
