"""The paper's entry for the command line: metadata, presets, verbs and claims."""

from onepaper.paper import Paper, Verb

from perceiver_ar.cli.options import EvaluateOptions, ImportOptions, SampleOptions, TrainOptions
from perceiver_ar.config import ExperimentConfig
from perceiver_ar.presets import ALIASES, PRESETS

PAPER = Paper(
    name="perceiver-ar",
    module="perceiver_ar",
    title="General-purpose, long-context autoregressive modeling with Perceiver AR",
    authors=(
        "Curtis Hawthorne, Andrew Jaegle, Catalina Cangea, Sebastian Borgeaud, Charlie Nash, Mateusz Malinowski, "
        "Sander Dieleman, Oriol Vinyals, Matthew Botvinick, Ian Simon, Hannah Sheahan, Neil Zeghidour, "
        "Jean-Baptiste Alayrac, Joao Carreira, Jesse Engel"
    ),
    venue="ICML 2022, PMLR 162:8535-8558",
    year=2022,
    arxiv="2202.07765",
    framework="jax",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train a network on text, music, images, codes or the copy task",
            "perceiver_ar.cli.train:train_verb",
            TrainOptions,
            "laptop-copy-64",
            (ExperimentConfig,),
        ),
        Verb(
            "sample",
            "sample text, music, images or codes, optionally as continuations of a prompt",
            "perceiver_ar.cli.sample:sample_verb",
            SampleOptions,
        ),
        Verb(
            "evaluate",
            "score documents, or measure accuracy on the copy task by distance",
            "perceiver_ar.cli.evaluate:evaluate_verb",
            EvaluateOptions,
        ),
        Verb(
            "import",
            "convert a checkpoint of the official code to weights for the other verbs",
            "perceiver_ar.cli.import_official:import_verb",
            ImportOptions,
            "paper-copy-131k",
            (ExperimentConfig,),
        ),
    ),
    claims_in="perceiver_ar.claims:CLAIMS",
    cost_of="perceiver_ar.cli.costs:cost_of",
    layouts_in="perceiver_ar.cli.data_layouts:layouts",
)
