"""The paper for the command line: presets, verbs and claims."""

from onepaper.paper import Paper, Verb

from imagen3.cli.options import (
    BoardOptions,
    DataOptions,
    EvaluateOptions,
    FairnessOptions,
    ImportOptions,
    RateOptions,
    SafetyOptions,
    SampleOptions,
    ScenesOptions,
    ToDiffusersOptions,
    TrainOptions,
    UpsampleOptions,
    WatermarkOptions,
)
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
        Verb("upsample", "enlarge pictures of a folder", "imagen3.cli.upsample:upsample_verb", UpsampleOptions),
        Verb("scenes", "compose scenes with known contents", "imagen3.cli.scenes:scenes_verb", ScenesOptions),
        Verb("evaluate", "evaluate pictures of prompts", "imagen3.cli.evaluate:evaluate_verb", EvaluateOptions),
        Verb(
            "rate",
            "serve a study of pictures to raters",
            "imagen3.cli.human.rate:rate_verb",
            RateOptions,
            long_running=True,
        ),
        Verb(
            "board", "ratings of models from votes, with intervals", "imagen3.cli.human.board:board_verb", BoardOptions
        ),
        Verb(
            "watermark", "stamp or find a mark", "imagen3.cli.responsibility.watermark:watermark_verb", WatermarkOptions
        ),
        Verb(
            "fairness",
            "tables of people in pictures",
            "imagen3.cli.responsibility.fairness:fairness_verb",
            FairnessOptions,
        ),
        Verb("safety", "violations beside refusals", "imagen3.cli.responsibility.safety:safety_verb", SafetyOptions),
        Verb("data", "filter a collection of pictures with captions", "imagen3.cli.data:data_verb", DataOptions),
        Verb(
            "import",
            "read a pipeline or network of the library diffusers",
            "imagen3.cli.import_diffusers:import_verb",
            ImportOptions,
        ),
        Verb(
            "to-diffusers",
            "write a network for the library diffusers",
            "imagen3.cli.to_diffusers:to_diffusers_verb",
            ToDiffusersOptions,
        ),
    ),
    claims_in="imagen3.claims:CLAIMS",
    cost_of="imagen3.cli.costs:cost_of",
)
