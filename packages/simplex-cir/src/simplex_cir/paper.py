"""The paper: title, verbs, presets and claims, for the command line."""

from onepaper.paper import Paper, TrainOptions, Verb

from simplex_cir.cli.options import EvaluateOptions, RankLawOptions, SimulateOptions, VerifyOptions
from simplex_cir.config import LearnedConfig, OracleConfig, SampleOptions
from simplex_cir.presets import ALIASES, PRESETS

PAPER = Paper(
    name="simplex-cir",
    module="simplex_cir",
    title="Categorical SDEs with Simplex Diffusion",
    authors="Pierre H. Richemond, Sander Dieleman, Arnaud Doucet",
    venue="arXiv 2210.14784; SODS workshop, ICML 2023",
    year=2022,
    arxiv="2210.14784",
    framework="jax",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train a network",
            "simplex_cir.cli.train:train_verb",
            TrainOptions,
            "laptop-splice",
            (LearnedConfig,),
        ),
        Verb(
            "sample",
            "draw sequences from a shipped network or your own",
            "simplex_cir.cli.sample:sample_verb",
            SampleOptions,
        ),
        Verb(
            "evaluate",
            "compare samplers on an exact posterior, or evaluate trained weights",
            "simplex_cir.cli.evaluate:evaluate_verb",
            EvaluateOptions,
            "laptop-oracle",
            (OracleConfig, LearnedConfig),
        ),
        Verb(
            "simulate",
            "draw trajectories of the process on the simplex",
            "simplex_cir.cli.simulate:simulate_verb",
            SimulateOptions,
        ),
        Verb(
            "rank-law",
            "tabulate the distribution of the rank of the true token",
            "simplex_cir.cli.rank_law:rank_law_verb",
            RankLawOptions,
        ),
        Verb(
            "verify",
            "check every closed form against an independent computation",
            "simplex_cir.cli.verify:verify_verb",
            VerifyOptions,
        ),
    ),
    claims_in="simplex_cir.claims:CLAIMS",
    cost_of="simplex_cir.cli.costs:cost_of",
)
