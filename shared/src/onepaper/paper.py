"""The description of a paper: presets, verbs and claims, found through entry points.

A package declares one `Paper` in its `paper.py` and names it in its `pyproject.toml`:

    [project.entry-points."onepaper.papers"]
    cdcd = "cdcd.paper:PAPER"

It consists of data and dotted names, so that listing papers, presets and claims imports no framework.
"""

import importlib
import importlib.metadata
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onepaper.accelerator import AcceleratorOptions, DeviceOptions
from onepaper.config import (
    check_seed,
    config_hash,
    flatten,
    identity,
    outside_fields,
    outside_identity,
    to_dict,
    unknown,
)
from onepaper.errors import OnePaperError, UsageError
from onepaper.runs import Run, default_folder

if TYPE_CHECKING:
    from onepaper.claims import Claim

ENTRY_POINT_GROUP = "onepaper.papers"


@dataclass(frozen=True)
class Preset:
    """A named configuration: `paper-EXPERIMENT`, `laptop-EXPERIMENT` or `smoke`, with a one-line summary."""

    summary: str
    config: Any
    unsure: tuple[str, ...] = ()
    """fields whose values no public source states, or on which sources differ; the values are our choice"""


@dataclass(frozen=True)
class PlainOptions:
    """Options of verbs that compute without a framework; the options of a package's verbs inherit from it."""

    output: Path | None = None
    """folder for the results; the default is runs/PAPER/VERB-PRESET below the current folder"""
    seed: int = 0
    """seed of all randomness: same seed, same result"""
    dry_run: bool = False
    """print what would be done, and do nothing"""

    def __post_init__(self) -> None:
        check_seed("seed", self.seed)
        # The options of the machine, which subclasses of both have, check theirs.
        if check := getattr(super(), "__post_init__", None):
            check()


# A run may be repeated elsewhere.
outside_identity(PlainOptions, "output", "dry_run")


@dataclass(frozen=True)
class VerbOptions(PlainOptions, DeviceOptions):
    """Options of verbs that compute with a framework; the options of a package's verbs inherit from it."""


@dataclass(frozen=True)
class RunOptions(VerbOptions, AcceleratorOptions):
    """Options of verbs that train or use an `Accelerator`, which is constructed from them."""


@dataclass(frozen=True)
class TrainingOptions(RunOptions):
    """Options of verbs that train for long; the options of a package's `train` inherit from it."""

    tracker: Literal["none", "wandb", "mlflow"] = "none"
    """where numbers go beside metrics.jsonl and TensorBoard: wandb (Weights & Biases) or mlflow, where installed"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tracker != "none" and importlib.util.find_spec(self.tracker) is None:
            raise UsageError(
                f"tracker is '{self.tracker}', which is not installed; pip install {self.tracker}, or leave --tracker "
                "out"
            )


outside_identity(TrainingOptions, "tracker")


@dataclass(frozen=True)
class TrainOptions(TrainingOptions):
    """Options of a verb `train` whose network can be exported."""

    export: Path | None = None
    """also write the trained network into this folder, as the package ships it"""


# A training may continue with another value.
outside_identity(TrainOptions, "export")


@dataclass(frozen=True)
class Verb:
    """A command after the paper's name.

    Args:
        name: the word, from the common vocabulary where it fits (train, sample, evaluate, data, export).
        summary: one line for the help.
        run: `module:function`, called with an `Invocation`.
        options: frozen dataclass of the verb's own options; it must be importable without a framework.
        preset: the default preset; None for a verb that takes no configuration.
        configs: configuration types that the verb accepts.
        long_running: it runs until it is stopped (a server, a cluster job) and has no run folder. SIGTERM and Ctrl-C
            then raise in it, so that `with` and `finally` end what it began, and the exit code is 128 + signal.
    """

    name: str
    summary: str
    run: str
    options: type = RunOptions
    preset: str | None = None
    configs: tuple[type, ...] = ()
    long_running: bool = False

    def accepts(self, config: Any) -> bool:
        """Whether this verb can run that configuration."""
        return isinstance(config, self.configs)


@dataclass(frozen=True)
class Paper:
    """One paper: bibliographic data, presets, verbs and claims.

    Args:
        name: folder and command name, e.g. `perceiver-ar`.
        module: import name, e.g. `perceiver_ar`.
        framework: `torch`, `jax` or `none`.
        claims_in: `module:NAME` of the tuple of claims.
        aliases: other names for presets, e.g. `laptop` for the main laptop experiment.
        cost_of: `module:function` mapping a configuration to a dictionary of costs (parameters, FLOPs, memory);
            it may load the framework.
        layouts_in: `module:function` giving the `onepaper.foreign.layouts.Layout`s of the public data sets that a
            configuration reads, or for None all of the paper's; the paper then has the verb `data`.
    """

    name: str
    module: str
    title: str
    authors: str
    venue: str
    year: int
    arxiv: str
    framework: str
    presets: Mapping[str, Preset]
    verbs: tuple[Verb, ...]
    claims_in: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    cost_of: str | None = None
    layouts_in: str | None = None

    def preset(self, name: str) -> Preset:
        """The preset of that name or alias.

        Raises:
            UsageError: no such preset; the message has the nearest name.
        """
        full = self.aliases.get(name, name)
        if full not in self.presets:
            raise UsageError(unknown(f"preset of {self.name}", name, [*self.presets, *self.aliases]))
        return self.presets[full]

    def verb(self, name: str) -> Verb:
        """The paper's own verb of that name (`UsageError` if there is none)."""
        for verb in self.verbs:
            if verb.name == name:
                return verb
        raise UsageError(unknown(f"verb of {self.name}", name, [verb.name for verb in self.verbs]))

    def claims(self) -> tuple["Claim", ...]:
        """The ledger, in the order of the paper."""
        return resolve(self.claims_in)

    def package_folder(self) -> Path:
        """The folder of the import package.

        Raises:
            OnePaperError: the package is not importable.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.origin:
            raise OnePaperError(f"package {self.module} of paper {self.name} is not importable; install it again")
        return Path(spec.origin).parent

    def project_folder(self) -> Path | None:
        """The folder with `pyproject.toml` and `src/` that the package is imported from; None for an installed copy."""
        source = self.package_folder().parent
        return source.parent if source.name == "src" and (source.parent / "pyproject.toml").exists() else None

    def results_folder(self) -> Path | None:
        """The folder of recorded results: the checkout's `results/`, otherwise the copy in the installed package."""
        project = self.project_folder()
        folder = project / "results" if project else self.package_folder() / "results"
        return folder if folder.is_dir() else None


@dataclass(frozen=True)
class Invocation:
    """One call of a verb: paper, configuration, options."""

    paper: Paper
    verb: Verb
    config: Any
    options: Any
    preset: str | None = None

    def open_run(self, folder: Path | None = None, *, main_process: bool = True) -> Run:
        """The run folder of this call, locked and recorded.

        It is `--output`, or runs/PAPER/VERB-PRESET, followed by a hash of the options and by the seed where these are
        not the defaults; without a preset, a hash of the configuration and the options. The same command gets the same
        folder, and another command does not overwrite it. A training whose `--loop.steps` changed goes on, and says so.

        Raises:
            UsageError: the folder holds another run, or one that has trained further than `loop.steps`.
            OnePaperError: another process runs there, or the folder cannot be written.
        """
        chosen = folder or getattr(self.options, "output", None)
        run = Run.open(
            chosen or default_folder(self.paper.name, self.verb.name, self._name()),
            paper=self.paper.name,
            verb=self.verb.name,
            config=self.config,
            options=self.options,
            preset=self.preset,
            seed=getattr(self.options, "seed", None),
            package_folder=self.paper.package_folder(),
            main_process=main_process,
        )
        try:
            _compare_lengths(run, self.config)
        except BaseException:
            run.close()
            raise
        return run

    def _name(self) -> str:
        options, default = identity(self.options), identity(self.verb.options())
        seed, usual = options.pop("seed", None), default.pop("seed", None)
        parts = [self.preset] if self.preset else []
        if not self.preset or options != default:
            config = None if self.preset or self.config is None else identity(self.config)
            parts.append(config_hash({"config": config, "options": options})[:8])
        return "-".join([*parts, f"seed{seed}"] if seed != usual else parts)


def _compare_lengths(run: Run, config: Any) -> None:
    """Say that a training goes on to another length; refuse a length that it has passed already."""
    if run.before is None or config is None:
        return
    now, before = flatten(to_dict(config)), flatten(run.before.get("config") or {})
    options = flatten(run.record["options"] or {})
    restart = "restart" in (now.get("loop.resume"), options.get("resume"))
    steps = [int(path.name[5:]) for path in run.folder.glob("checkpoints/step_*") if path.name[5:].isdigit()]
    if not restart and now.get("loop.steps", math.inf) < max(steps, default=0):
        raise UsageError(
            f"loop.steps is {now['loop.steps']}, but {run.folder} has trained {max(steps)} steps; choose another "
            "--output, or --loop.resume restart to begin again"
        )
    changed = [name for name in outside_fields(config) if name.endswith("steps") and now[name] != before.get(name)]
    for name in sorted(changed):
        print(f"{run.folder}: {name} was {before.get(name)} and is {now[name]}")
    schedules = {str(value) for name, value in now.items() if name.endswith("schedule")} & {"cosine", "linear"}
    if changed and schedules and not restart:
        print(
            f"from here on, the {' or '.join(sorted(schedules))} learning rate is that of the new length: the result "
            "is not that of one run of this length"
        )


def resolve(dotted: str) -> Any:
    """Import `package.module:attribute`."""
    module, _, attribute = dotted.partition(":")
    return getattr(importlib.import_module(module), attribute)


def paper_names() -> list[str]:
    """Names of the installed papers."""
    return sorted({entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)})


def load_paper(name: str) -> Paper:
    """The installed paper of that name.

    Raises:
        UsageError: not installed; the message has the nearest name and how to install one.
        OnePaperError: installed, but its package does not import.
    """
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry.name == name:
            try:
                paper: Paper = entry.load()
            except ImportError as error:
                raise OnePaperError(f"paper '{name}' is installed but broken ({error}); install it again") from error
            return paper
    names = paper_names()
    if not names:
        raise UsageError(
            f"unknown paper '{name}': none is installed; try `pip install ./packages/{name}` in a checkout"
        )
    raise UsageError(f"{unknown('paper', name, names)} (`onepaper list` shows those installed)")
