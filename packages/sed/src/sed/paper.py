"""The paper's entry for the command line: metadata, presets, verbs and claims."""

from onepaper.paper import Paper, TrainOptions, Verb

from sed.cli.options import EvaluateOptions, RateOptions, SampleOptions, ShowOptions, SweepOptions
from sed.config import AutoregressiveExperiment, ExperimentConfig, MaskedExperiment
from sed.presets import ALIASES, PRESETS

PAPER = Paper(
    name="sed",
    module="sed",
    title="Self-conditioned embedding diffusion for text generation",
    authors=(
        "Robin Strudel, Corentin Tallec, Florent Altché, Yilun Du, Yaroslav Ganin, Arthur Mensch, Will Grathwohl, "
        "Nikolay Savinov, Sander Dieleman, Laurent Sifre, Rémi Leblond"
    ),
    venue="arXiv preprint 2211.04236",
    year=2022,
    arxiv="2211.04236",
    framework="jax",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train a diffusion language model, its embeddings, or a causal model",
            "sed.cli.train:train_verb",
            TrainOptions,
            "laptop",
            (ExperimentConfig, MaskedExperiment, AutoregressiveExperiment),
        ),
        Verb("sample", "complete and infill text", "sed.cli.sample:sample_verb", SampleOptions),
        Verb(
            "show",
            "the tokens of the forward or the reverse process by step, also as a page",
            "sed.cli.show:show_verb",
            ShowOptions,
        ),
        Verb(
            "evaluate",
            "measure quality and diversity of samples, and the denoising curve",
            "sed.cli.evaluate:evaluate_verb",
            EvaluateOptions,
        ),
        Verb(
            "sweep",
            "quality, diversity and time of samples by the number of steps and by guidance, with figures",
            "sed.cli.sweep:sweep_verb",
            SweepOptions,
        ),
        Verb("rate", "blind pairs of samples for people to compare", "sed.cli.rate:rate_verb", RateOptions),
    ),
    claims_in="sed.claims:CLAIMS",
    cost_of="sed.cli.costs:cost_of",
)
