"""Options of the verbs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_non_negative, check_positive, outside_identity
from onepaper.errors import UsageError
from onepaper.paper import PlainOptions, TrainingOptions, VerbOptions

from audio_datasets.config import AdaptationConfig, EncoderConfig, FeatureConfig, SelectionConfig


@dataclass(frozen=True)
class DataOptions(PlainOptions):
    """Options of `data`."""

    action: Annotated[
        Literal["list", "info", "check", "card", "prepare", "inspect", "convert", "export"],
        "positional",
    ] = "list"
    """list: search the catalogue; info: one record; check: compare a copy with what is published; card: a page with
    players and statistics; prepare: write an example set from its Debian package; inspect: propose a manifest for a
    tree of audio; convert: the clips for another library; export: the catalogue for other programs"""
    name: Annotated[str, "positional", "one of audio_datasets.catalogue.records:read_catalogue"] = ""
    """id of a data set; of list and export: words to search for"""
    root: Path | None = None
    """folder or CSV of your copy; of prepare: a .deb file, or a folder that it is unpacked into"""
    domain: str = ""
    """of list and export: only this domain, e.g. 'vocal burst'"""
    access: str = ""
    """of list and export: only this access: open, form, request, paid or closed"""
    loadable: bool = False
    """of list and export: only data sets that this package opens"""
    format: Literal["json", "csv", "croissant"] = "json"
    """of export"""
    decode: bool = True
    """of check: decode every file; otherwise only headers are read"""
    library: Literal["webdataset", "datasets", "lhotse", "audformat"] = "webdataset"
    """of convert: webdataset and datasets hold the audio, lhotse and audformat refer to it"""
    shard_bytes: int = 2**28
    """of convert for webdataset: a shard is closed when it exceeds this size"""
    players: int = 24
    """of card: number of clips to hear"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_non_negative("players", self.players)
        check_positive("shard_bytes", self.shard_bytes)


@dataclass(frozen=True)
class TrainOptions(TrainingOptions):
    """Options of `train`."""

    export: Path | None = None
    """also write the trained network into this folder, as the package ships it"""


# A training may continue with another value.
outside_identity(TrainOptions, "export")


Bank = Literal["open", "egemaps", "compare", "encoder"]


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    dataset: Annotated[str, "one of audio_datasets.data.loaders:LOADERS"] = "hedgewars-voices"
    """id of a data set that `data list --loadable` shows, or `manifest`"""
    task: Annotated[str, "one of audio_datasets.tasks.definitions:TASKS"] = ""
    """id of a task of the paper, on your copy of its data set, instead of --dataset; `leaderboard` lists them"""
    root: Path | None = None
    """folder or CSV of your copy; without it the clips that ship with the package"""
    weights: str = ""
    """a network that ships with the package, or the folder of a training run; without it, a baseline is fitted to
    features"""
    split: Literal["folds", "validation", "test"] = "folds"
    """folds: each fold of voices is predicted by the others; validation, test: trained on the train split. Of a task,
    folds stand for validation, and a blind test split gives a submission"""
    folds: int = 5
    """number of folds of voices"""
    baseline: Literal["support-vectors", "linear", "nearest", "mean", "network"] = "support-vectors"
    """of a task; linear: logistic or ridge regression; nearest: the labels of the nearest clip; mean: a constant;
    network: that of the challenges' baselines"""
    bank: tuple[Bank, ...] = ("open",)
    """features: open (functionals of this package), egemaps and compare of openSMILE, whose licence is not commercial,
    or encoder, the embeddings of --encoder.folders; several are fused"""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    fusion: Literal["early", "late"] = "early"
    """of several features; early: they are joined; late, of a task: predictions are averaged"""
    features: FeatureConfig = field(default_factory=FeatureConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    max_seconds: float = 10.0
    """longer clips are cut"""
    trim: bool = False
    """leave out silence before and after speech, as Silero VAD (extra `vad`) finds it"""
    resamples: int = 1000
    """of the bootstrap"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("folds", "max_seconds", "resamples"):
            check_positive(name, getattr(self, name))
        if not self.bank:
            raise UsageError("there is no --bank; give at least one kind of features")
        if ("encoder" in self.bank) != bool(self.encoder.folders):
            raise UsageError("embeddings need both: --bank encoder --encoder.folders FOLDER")
        if self.task and self.root is None:
            raise UsageError(f"{self.task} needs your copy of its data set: --root FOLDER")
        if not self.task and (self.fusion, self.baseline) != ("early", "support-vectors"):
            raise UsageError("late fusion and other baselines than support vectors are of --task")

    def chosen_split(self) -> str:
        """The split of a task."""
        return "validation" if self.split == "folds" else self.split


@dataclass(frozen=True)
class SubmissionOptions(PlainOptions):
    """Options of `submission`."""

    task: Annotated[str, "positional", "one of audio_datasets.tasks.definitions:TASKS"] = ""
    """id of a task"""
    file: Annotated[Path | None, "positional"] = None
    """CSV of predictions"""
    root: Path | None = None
    """folder of your copy, whose clips the file has to hold"""
    split: Literal["validation", "test"] = "test"
    """which clips"""


@dataclass(frozen=True)
class FeaturesOptions(PlainOptions):
    """Options of `features`."""

    dataset: Annotated[str, "one of audio_datasets.data.loaders:LOADERS"] = "hedgewars-voices"
    """id of a data set that `data list --loadable` shows, or `manifest`"""
    root: Path | None = None
    """folder or CSV of your copy; without it the clips that ship with the package"""
    shards: Path | None = None
    """folder of webdataset shards (.tar) to read instead of a data set, as `data convert` writes them"""
    bank: Literal["open", "egemaps", "compare"] = "open"
    """functionals: open (of this package), or egemaps and compare of openSMILE, whose licence is not commercial"""
    features: FeatureConfig = field(default_factory=FeatureConfig)
    max_seconds: float = 10.0
    """longer clips are cut"""
    trim: bool = False
    """leave out silence before and after speech, as Silero VAD (extra `vad`) finds it"""
    unreadable: Literal["error", "skip"] = "error"
    """error: a clip that cannot be read stops the extraction; skip: the manifest lists it"""
    engine: Literal["processes", "ray"] = "processes"
    """processes of this machine, or tasks on the Ray cluster of RAY_ADDRESS, which starts here without that"""
    workers: int = 0
    """number of processes; 0: one for each core; Ray takes the cores of its cluster"""
    part_clips: int = 256
    """clips that a process computes at a time; of shards, all of one shard"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_non_negative("workers", self.workers)
        for name in ("max_seconds", "part_clips"):
            check_positive(name, getattr(self, name))


# The features are the same.
outside_identity(FeaturesOptions, "engine", "workers")


@dataclass(frozen=True)
class LeaderboardOptions(PlainOptions):
    """Options of `leaderboard`."""

    task: Annotated[str, "positional", "one of audio_datasets.tasks.definitions:TASKS"] = ""
    """id of a task; without it all"""
    runs: tuple[Path, ...] = ()
    """folders that `evaluate --task` wrote, whose scores are set beside the paper's"""
