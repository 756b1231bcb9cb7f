"""The paper for the command line: presets, verbs and claims."""

from onepaper.paper import Paper, Verb

from imagen3.cli.options import DataOptions, ExportOptions, ImportOptions, SampleOptions, TrainOptions
from imagen3.config import SystemConfig, UpsamplerConfig
from imagen3.presets import ALIASES, PRESETS

PAPER = Paper(
    name="imagen3",
    module="imagen3",
    title="Imagen 3",
    authors="Imagen 3 Team, Google",
    venue="technical report",
    year=2024,
    arxiv="2408.07009",
    framework="torch",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "train the reference system (autoencoder, cached features, denoiser) or an upsampler",
            "imagen3.cli.train:train_verb",
            TrainOptions,
            "laptop-s",
            (SystemConfig, UpsamplerConfig),
        ),
        Verb("sample", "draw pictures of a prompt", "imagen3.cli.sample:sample_verb", SampleOptions),
        Verb("data", "filter a collection of pictures with captions", "imagen3.cli.data:data_verb", DataOptions),
        Verb(
            "import",
            "read a pipeline or network of the library diffusers",
            "imagen3.cli.import_diffusers:import_verb",
            ImportOptions,
        ),
        Verb("export", "write a network for the library diffusers", "imagen3.cli.export:export_verb", ExportOptions),
    ),
    claims_in="imagen3.claims:CLAIMS",
    cost_of="imagen3.cli.costs:cost_of",
)
