"""The paper for the command line: presets, verbs and claims."""

from onepaper.paper import Paper, TrainOptions, Verb

from hares.cli.options import EvaluateOptions, GalleryOptions, PrepareOptions, ScoreOptions
from hares.config import TrainConfig
from hares.presets import ALIASES, PRESETS

PAPER = Paper(
    name="hares",
    module="hares",
    title="Towards Learning Universal Audio Representations",
    authors=(
        "Luyu Wang, Pauline Luc, Yan Wu, Adria Recasens, Lucas Smaira, Andrew Brock, Andrew Jaegle, "
        "Jean-Baptiste Alayrac, Sander Dieleman, Joao Carreira, Aaron van den Oord"
    ),
    venue="ICASSP 2022, pp. 4593-4597",
    year=2022,
    arxiv="2111.12124",
    framework="torch",
    presets=PRESETS,
    aliases=ALIASES,
    verbs=(
        Verb(
            "train",
            "pre-train a network: SimCLR, COLA, CPC, BYOL-A or supervised",
            "hares.cli.train:run",
            TrainOptions,
            "laptop-simclr",
            (TrainConfig,),
        ),
        Verb(
            "evaluate",
            "score embeddings on mini-HARES, by domain and with intervals",
            "hares.cli.evaluate:run",
            EvaluateOptions,
        ),
        Verb(
            "gallery",
            "make a page of clips and their nearest neighbours, to listen to",
            "hares.cli.gallery:run",
            GalleryOptions,
        ),
        Verb(
            "prepare",
            "make the mini tasks of speech that need Debian packages",
            "hares.cli.prepare:run",
            PrepareOptions,
        ),
        Verb(
            "score",
            "score an embedding on tasks of HARES, from copies of their data sets",
            "hares.cli.score:run",
            ScoreOptions,
        ),
    ),
    layouts_in="hares.cli.data_layouts:layouts",
    claims_in="hares.claims:CLAIMS",
    cost_of="hares.cli.costs:cost_of",
)
