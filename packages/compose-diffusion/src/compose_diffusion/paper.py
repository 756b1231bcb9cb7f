"""The paper as the command line knows it."""

from onepaper.paper import Paper, Verb

from compose_diffusion.config import ALIASES, PRESETS, EvaluateOptions, SampleOptions, TrainOptions
from compose_diffusion.digits.config import DigitsConfig, GuidanceConfig
from compose_diffusion.toy.config import ToyExactConfig

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
            "train the digits' denoiser and classifier",
            "compose_diffusion.training:train_verb",
            TrainOptions,
            preset="laptop-digits",
            configs=(DigitsConfig,),
        ),
        Verb(
            "sample",
            "draw composed or guided digits",
            "compose_diffusion.sampling:sample_verb",
            SampleOptions,
        ),
        Verb(
            "evaluate",
            "compare samplers: on exact densities, or on guided digits",
            "compose_diffusion.evaluation:evaluate_verb",
            EvaluateOptions,
            preset="laptop-toy-exact",
            configs=(ToyExactConfig, GuidanceConfig),
        ),
    ),
    claims_in="compose_diffusion.claims:CLAIMS",
    cost_of="compose_diffusion.evaluation:cost_of",
)
