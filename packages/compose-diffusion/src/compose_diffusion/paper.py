"""Metadata, presets and verbs of the paper."""

from onepaper.paper import Paper, Verb

from compose_diffusion.cli.options import (
    EVALUATIONS,
    RECIPES,
    EvaluateOptions,
    GalleryOptions,
    SampleOptions,
    TrainOptions,
    TuneOptions,
)
from compose_diffusion.presets import ALIASES, PRESETS

PAPER = Paper(
    name="compose-diffusion",
    module="compose_diffusion",
    title="Reduce, Reuse, Recycle: Compositional Generation with Energy-Based Diffusion Models and MCMC",
    authors=(
        "Yilun Du, Conor Durkan, Robin Strudel, Joshua B. Tenenbaum, Sander Dieleman, Rob Fergus, "
        "Jascha Sohl-Dickstein, Arnaud Doucet, Will Grathwohl"
    ),
    venue="ICML 2023, PMLR 202:8489-8510",
    year=2023,
    arxiv="2302.11552",
    framework="torch",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train the networks of a preset",
            "compose_diffusion.cli.train:train_verb",
            TrainOptions,
            preset="laptop-digits",
            configs=tuple(RECIPES),
        ),
        Verb(
            "sample",
            'sample from an expression of models, e.g. "digits[3] & ~digits[5]"',
            "compose_diffusion.cli.sample:sample_verb",
            SampleOptions,
        ),
        Verb(
            "tune",
            "compare step sizes on an expression: acceptance and jump distance at every noise level",
            "compose_diffusion.cli.tune:tune_verb",
            TuneOptions,
        ),
        Verb(
            "gallery",
            "sample compositions of the shipped models by the reverse process and with MCMC, as one page",
            "compose_diffusion.cli.gallery:gallery_verb",
            GalleryOptions,
        ),
        Verb(
            "evaluate",
            "compare samplers on the task of a preset",
            "compose_diffusion.cli.evaluate:evaluate_verb",
            EvaluateOptions,
            preset="laptop-toy-exact",
            configs=tuple(EVALUATIONS),
        ),
    ),
    claims_in="compose_diffusion.claims:CLAIMS",
    cost_of="compose_diffusion.cli.costs:cost_of",
)
