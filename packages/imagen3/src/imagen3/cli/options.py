"""Options of the verbs."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from onepaper import paper
from onepaper.config import (
    check_between,
    check_choice,
    check_non_negative,
    check_positive,
    check_seed,
    outside_identity,
)
from onepaper.errors import UsageError
from onepaper.paper import PlainOptions, VerbOptions

from imagen3.config import AutoencoderTerms, FilterConfig, SamplingOptions, StudyRules


@dataclass(frozen=True)
class TrainOptions(paper.TrainOptions):
    """Options of `train`."""

    max_minutes: float = 0.0
    """time of this command, shared out over the stages; the same command goes on; 0 sets no limit"""
    aspect_ratios: bool = False
    """pictures of a folder keep their aspect ratios at about the area of data.size squared, in batches of one size;
    otherwise all are cropped to squares"""
    terms: AutoencoderTerms = field(default_factory=AutoencoderTerms)
    start: str = ""
    """a system, by name or folder, whose training this one continues, e.g. with larger pictures: its autoencoder is
    kept, and the denoiser begins with its weights"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_non_negative("max_minutes", self.max_minutes)


# A training may continue with other values.
outside_identity(TrainOptions, "max_minutes")


@dataclass(frozen=True)
class SampleOptions(VerbOptions):
    """Options of `sample`."""

    weights: str = "emoji"
    """a system that ships with the package, or the folder of a training run"""
    prompt: str = "a tomato"
    """what the pictures show"""
    prompts: Path | None = None
    """file of prompts, as `scenes` writes it: pictures have the names that `evaluate` expects"""
    benchmark: Literal["geckonum", "genai-bench", "drawbench", "dalle3-eval", "docci", "geneval", "gecko"] = "geckonum"
    """whose format that file has"""
    negative: str = ""
    """what they do not show: guidance leads away from it; empty for plain guidance"""
    count: int = 4
    """number of pictures, of each prompt"""
    size: tuple[int, int] | None = None
    """height and width in pixels; None takes those of the training"""
    scale: Literal[1, 2, 4, 8] = 4
    """side of the square that shows a pixel in the files"""
    watermark: Path | None = None
    """file whose content is a secret key: the files carry its invisible mark, which `watermark` detects"""
    payload: int = 0
    """a number of 32 bits that the mark carries"""
    upscale: Literal[1, 2, 4, 8] = 1
    """factor of the upsampler"""
    upsampler: str = "emoji-2x"
    """where upscale is given: the upsampler that ships with the package, or the folder of the training of one"""
    weak: str = ""
    """a system with the same latents and text encoder, trained for a shorter time or smaller: guidance leads away from
    it in place of the empty text"""
    distilled_guidance: float | None = None
    """weight that a network of FLUX takes as an input, in place of two predictions a step"""
    average: float | None = None
    """relative width of the average of the weights, from the snapshots of a training run; None takes what is kept as
    the weights"""
    sampler: Literal["euler", "heun", "dpmpp-2m", "ancestral", "churn"] | None = None
    """this and the next eight: None takes what is kept with the weights"""
    steps: int | None = None
    """of the sampler; Heun needs two evaluations for each"""
    guidance: float | None = None
    """weight of classifier-free guidance; 1 is the conditional model alone"""
    rescale: float | None = None
    """share in which guided predictions are scaled back, against saturated colours"""
    parallel: float | None = None
    """share of the guidance along the predicted picture that is kept, against saturated colours"""
    interval: tuple[float, float] | None = None
    """noise levels at which guidance is used"""
    momentum: float | None = None
    """of the differences that guidance adds, from step to step"""
    norm_limit: float | None = None
    """largest norm of the difference of pictures that guidance adds; 0 sets no limit"""
    churn: float | None = None
    """noise that the sampler churn adds in all steps together"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("count", self.count)
        check_choice("scale", str(self.scale), ("1", "2", "4", "8"))
        check_between("payload", self.payload, 0, 2**32 - 1)
        check_choice("upscale", str(self.upscale), ("1", "2", "4", "8"))
        if self.weak and self.negative:
            raise UsageError("guidance leads away from a weak system or a negative text; give --weak or --negative")
        if self.distilled_guidance is not None:
            check_non_negative("distilled_guidance", self.distilled_guidance)
        self.sampling(SamplingOptions())  # the values are validated

    def sampling(self, kept: SamplingOptions) -> SamplingOptions:
        """The options of a system with those that are given here."""
        names = ("sampler", "steps", "guidance", "rescale", "parallel", "interval", "momentum", "norm_limit", "churn")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(kept, **given)


@dataclass(frozen=True)
class UpsampleOptions(VerbOptions):
    """Options of `upsample`."""

    pictures: Path = Path("pictures")
    """folder of pictures; the text in NAME.txt beside one says what it shows"""
    upsampler: str = "emoji-2x"
    """the upsampler that ships with the package, or the folder of the training of one"""
    scale: Literal[2, 4, 8] = 2
    """factor of the sides"""
    prompt: str = "a picture"
    """of pictures without a text"""
    compare: bool = False
    """reduce the pictures, enlarge them again, and compare the upsampler with bicubic and Lanczos interpolation"""


@dataclass(frozen=True)
class BoardOptions(PlainOptions):
    """Options of `board`."""

    votes: Path = Path("votes.csv")
    """table of votes as CSV, such as the export of `rate`"""
    ties: Literal["drop", "half", "davidson", "rao-kupper"] = "drop"
    """what is done with ties in ratings; win shares always take a tie as half"""
    interval: Literal["raters", "prompts", "independent"] = "raters"
    """resampled raters, resampled prompts, or the closed form for independent votes"""
    confidence: float = 0.99
    """of the intervals"""
    resamples: int = 1000
    """of the bootstrap"""
    prior_sd: float | None = None
    """standard deviation in Elo points of a normal prior, for boards on which a model won or lost all; None for none"""
    keep_flagged: bool = False
    """also take votes that have flags, such as those of inattentive raters"""
    reach: int = 4
    """matches without votes are listed for each model and so many above and below it"""
    online_k: float | None = None
    """also show Elo ratings that change with each vote, by this factor; they depend on the order of the votes"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between("confidence", self.confidence, 0.5, 0.9999)
        check_between("resamples", self.resamples, 100, 100_000)
        check_positive("reach", self.reach)
        for name in ("prior_sd", "online_k"):
            if (value := getattr(self, name)) is not None:
                check_positive(name, value)


@dataclass(frozen=True)
class RateOptions:
    """Options of `rate`."""

    study: Path = Path("study")
    """folder with prompts.csv and a folder of pictures for each model, named by the prompts' ids"""
    aspects: tuple[Literal["overall", "alignment", "appeal", "detail", "counting"], ...] = ("overall",)
    """questions; detail needs a folder `references`, counting a column `noun`"""
    state: Path | None = None
    """folder of the encoded pictures and the database; the default is runs/imagen3/rate-STUDY"""
    database: str = ""
    """URL of SQLAlchemy, such as postgresql+psycopg://USER@HOST/NAME; empty for SQLite in the state folder"""
    host: str = "127.0.0.1"
    """address to serve; 0.0.0.0 for all of this machine"""
    port: int = 8000
    """of the server; 0 takes a free one"""
    size: int = 512
    """height and width in pixels of the pictures that raters see"""
    rules: StudyRules = field(default_factory=StudyRules)
    check_rate: float = 0.05
    """share of tasks that ask for a certain side, to find inattentive raters"""
    seed: int = 0
    """of the order of tasks and of the sides, together with a secret of the study"""
    dry_run: bool = False
    """read the study and say what would be served"""

    def __post_init__(self) -> None:
        check_seed("seed", self.seed)
        check_between("port", self.port, 0, 65535)
        check_between("size", self.size, 16, 4096)
        check_between("check_rate", self.check_rate, 0.0, 0.5)


@dataclass(frozen=True)
class ScenesOptions(PlainOptions):
    """Options of `scenes`."""

    count: int = 200
    """number of scenes"""
    size: int = 64
    """height and width in pixels"""
    long: bool = False
    """captions with every object, place and colour rather than numbers only"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between("count", self.count, 1, 1_000_000)
        check_between("size", self.size, 32, 1024)


@dataclass(frozen=True)
class EvaluateOptions(PlainOptions):
    """Options of `evaluate`."""

    pictures: Path = Path("pictures")
    """folder of the pictures; with prompts, DATASET_ID.png or DATASET_ID_SEED.png is one of that prompt"""
    prompts: Path | None = None
    """counting prompts in the format of GeckoNum: prompt, entities, prompt_type, dataset_id"""
    reference: Path | None = None
    """folder of real pictures, from which distances are measured rather than counts"""
    places: bool = False
    """also count those on the requested side, for prompts such as "3 dogs to the left of 2 cats" """
    scene_size: int = 64
    """side in pixels to which pictures are resampled before objects are found"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between("scene_size", self.scene_size, 32, 512)
        if self.prompts is not None and self.reference is not None:
            raise UsageError("prompts and reference are given, expected one of them: counts or distances")


@dataclass(frozen=True)
class WatermarkOptions(PlainOptions):
    """Options of `watermark`."""

    action: Literal["detect", "embed"] = "detect"
    """detect: look for the mark; embed: write marked PNG files"""
    pictures: Path = Path("pictures")
    """folder of the pictures"""
    key: Path = Path("watermark.key")
    """file whose content is the secret key"""
    kind: Literal["classical", "learned"] = "classical"
    """classical: cosine transforms of blocks, with a payload; learned: by networks, without a payload"""
    rate: float = 1e-6
    """false positive rate: pictures without the mark of this key that are taken for marked ones"""
    payload: int = 0
    """of embed: a number of 32 bits that the mark carries"""
    psnr: float = 40.0
    """of embed: least peak signal-to-noise ratio in decibels; lower ones mark more strongly"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.payload and self.kind == "learned":
            raise UsageError("payload is given, but the learned mark carries none; use the classical one")
        if not 0 < self.rate < 1:
            raise UsageError(f"rate is {self.rate}, expected a number between 0 and 1")
        check_between("payload", self.payload, 0, 2**32 - 1)
        check_between("psnr", self.psnr, 20.0, 60.0)


@dataclass(frozen=True)
class FairnessOptions(PlainOptions):
    """Options of `fairness`."""

    labels: Path = Path("labels.csv")
    """labels of pictures: the columns prompt and some of gender, tone, age, age35"""
    compare: Path | None = None
    """labels of another system, shown beside"""
    professions: bool = False
    """the table of the professions rather than those of distributions and of prompts with one category"""


@dataclass(frozen=True)
class SafetyOptions(PlainOptions):
    """Options of `safety`."""

    records: Path = Path("requests.csv")
    """one request a row: prompt, seed, policy, refused, flagged"""
    compare: Path | None = None
    """records of another system on the same prompts and seeds, for a paired test"""


@dataclass(frozen=True)
class ImportOptions(VerbOptions):
    """Options of `import`."""

    folder: Annotated[Path, "positional"] = Path("pipeline")
    """a pipeline of the library diffusers (SD3, FLUX, PixArt), or one of its networks, e.g. `transformer` or `vae`"""
    half: bool = False
    """write a system in half precision"""


@dataclass(frozen=True)
class ToDiffusersOptions(VerbOptions):
    """Options of `to-diffusers`."""

    weights: str = "emoji"
    """a system that ships with the package, or the folder of a training run"""
    part: Literal["denoiser", "autoencoder"] = "denoiser"
    """which network is written"""


@dataclass(frozen=True)
class DataOptions(PlainOptions):
    """Options of `data`."""

    action: Annotated[Literal["filter"], "positional"] = "filter"
    """filter: write what is kept of a folder, and why the rest is not"""
    limits: FilterConfig = field(default_factory=FilterConfig)
    engine: Literal["local", "ray"] = "local"
    """local: pictures are read by this process; ray: by tasks of Ray Data on the cluster of RAY_ADDRESS, without one on
    the cores of this machine"""
