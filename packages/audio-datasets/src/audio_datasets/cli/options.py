"""Options of the verbs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from onepaper.config import check_non_negative, check_positive, outside_identity
from onepaper.paper import PlainOptions, TrainingOptions, VerbOptions

from audio_datasets.config import FeatureConfig


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
    name: Annotated[str, "positional"] = ""
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


@dataclass(frozen=True)
class EvaluateOptions(VerbOptions):
    """Options of `evaluate`."""

    dataset: str = "hedgewars-voices"
    """id of a data set that `data list --loadable` shows, or `manifest`"""
    root: Path | None = None
    """folder or CSV of your copy; without it the clips that ship with the package"""
    weights: str = ""
    """a network that ships with the package, or the folder of a training run; without it, support vectors on
    functionals are trained"""
    split: Literal["folds", "validation", "test"] = "folds"
    """folds: each fold of voices is predicted by the others; validation, test: trained on the train split"""
    folds: int = 5
    """number of folds of voices"""
    bank: Literal["open", "egemaps", "compare"] = "open"
    """functionals: open (of this package), or egemaps and compare of openSMILE, whose licence is not commercial"""
    features: FeatureConfig = field(default_factory=FeatureConfig)
    max_seconds: float = 10.0
    """longer clips are cut"""
    resamples: int = 1000
    """of the bootstrap"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("folds", "max_seconds", "resamples"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True)
class FeaturesOptions(PlainOptions):
    """Options of `features`."""

    dataset: str = "hedgewars-voices"
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

    task: Annotated[str, "positional"] = ""
    """id of a task; without it all"""
