"""The paper's entry for the command line: metadata, presets, verbs and claims."""

from onepaper.paper import Paper, TrainOptions, Verb

from cdcd.cli.options import (
    DoctorOptions,
    EvaluateOptions,
    EvaluateTranslationOptions,
    FiguresOptions,
    ImportOptions,
    SampleOptions,
    TranslateOptions,
)
from cdcd.config import (
    AutoregressiveExperiment,
    CausalTranslationExperiment,
    ExperimentConfig,
    TranslationExperiment,
)
from cdcd.presets import ALIASES, PRESETS

PAPER = Paper(
    name="cdcd",
    module="cdcd",
    title="Continuous diffusion for categorical data",
    authors=(
        "Sander Dieleman, Laurent Sartran, Arman Roshannai, Nikolay Savinov, Yaroslav Ganin, Pierre H. Richemond, "
        "Arnaud Doucet, Robin Strudel, Chris Dyer, Conor Durkan, Curtis Hawthorne, Rémi Leblond, Will Grathwohl, "
        "Jonas Adler"
    ),
    venue="arXiv preprint 2211.15089",
    year=2022,
    arxiv="2211.15089",
    framework="jax",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train a diffusion model of text or translations, or a causal one",
            "cdcd.cli.train:train_verb",
            TrainOptions,
            "laptop",
            (ExperimentConfig, AutoregressiveExperiment, TranslationExperiment, CausalTranslationExperiment),
        ),
        Verb("sample", "complete and infill text", "cdcd.cli.sample:sample_verb", SampleOptions),
        Verb(
            "evaluate",
            "measure quality and diversity of completions, MAUVE, and the loss on held-out text",
            "cdcd.cli.evaluate:evaluate_verb",
            EvaluateOptions,
        ),
        Verb(
            "import",
            "convert a network of Plaid's CDCD baseline",
            "cdcd.cli.import_plaid:import_verb",
            ImportOptions,
        ),
        Verb(
            "figures",
            "draw the loss of a network, its time warping, neighbours of its embeddings, and a sample over the steps",
            "cdcd.cli.figures:figures_verb",
            FiguresOptions,
        ),
        Verb("translate", "translate sentences", "cdcd.cli.translate:translate_verb", TranslateOptions),
        Verb(
            "evaluate-translation",
            "measure BLEU and copied words of held-out sentences, over a grid of temperatures and guidance",
            "cdcd.cli.evaluate_translation:evaluate_translation_verb",
            EvaluateTranslationOptions,
        ),
        Verb(
            "doctor",
            "noise levels that embeddings and vocabularies of given sizes need",
            "cdcd.cli.doctor:doctor_verb",
            DoctorOptions,
        ),
    ),
    claims_in="cdcd.claims:CLAIMS",
    cost_of="cdcd.cli.costs:cost_of",
)
