"""Data sets by their id: what `load` opens, from the shipped subset or from a folder of the user."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from onepaper.config import unknown
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

from audio_datasets.data.clips import ClipSet
from audio_datasets.data.examples import hedgewars

Loader = Callable[..., ClipSet]


@unmeasured
def _openarena(root: Path | None) -> ClipSet:
    from audio_datasets.data.examples.openarena import load_players

    return load_players(_required("openarena-players", root))


@unmeasured
def _prompts(root: Path | None) -> ClipSet:
    from audio_datasets.data.examples.prompts import load_prompts

    return load_prompts(_required("asterisk-prompts", root))


@unmeasured
def _vocal_bursts(task: str) -> Loader:
    def load_task(root: Path | None, **official: bool) -> ClipSet:
        from audio_datasets.data.vocal_bursts import load_vocal_bursts

        return load_vocal_bursts(_required("hume-vocalburst", root), task, **official)

    return load_task


@unmeasured
def _exvo(root: Path | None, **official: bool) -> ClipSet:
    from audio_datasets.data.vocal_bursts import load_exvo

    return load_exvo(_required("hume-vocalburst", root), **official)


@unmeasured
def _prosody(root: Path | None, **official: bool) -> ClipSet:
    from audio_datasets.data.prosody import load_prosody

    return load_prosody(_required("hume-prosody", root), **official)


@unmeasured
def _manifest(name: str) -> Loader:
    def load_manifest_of(root: Path | None) -> ClipSet:
        from audio_datasets.data.manifests import read_manifest

        return read_manifest(_required(name, root), name)

    return load_manifest_of


def _required(name: str, root: Path | None) -> Path:
    if root is None:
        raise UsageError(f"'{name}' does not ship with the package; give the path of your copy with --root")
    if not root.exists():
        raise UsageError(f"{root} does not exist; give the path of your copy of '{name}'")
    return root


# Functions of no argument, so that a reader that no claim uses is made only when it is asked for.
LOADERS: Mapping[str, Callable[[], Loader]] = {
    hedgewars.NAME: lambda: hedgewars.load_voices,
    "openarena-players": lambda: _openarena,
    "asterisk-prompts": lambda: _prompts,
    "hume-vocalburst": lambda: _vocal_bursts("high"),
    **{f"hume-vocalburst-{task}": lambda task=task: _vocal_bursts(task) for task in ("high", "two", "culture", "type")},
    "hume-vocalburst-exvo": lambda: _exvo,
    "hume-prosody": lambda: _prosody,
    **{name: lambda name=name: _manifest(name) for name in ("modulate-sonata", "modulate-stream", "manifest")},
}


def load(name: str, root: Path | str | None = None, *, trim: bool = False, strict_official: bool = False) -> ClipSet:
    """The clips of a data set.

    Args:
        name: id of a data set, or `manifest` for a CSV of your own.
        root: the folder of your copy, or a CSV; None for the clips that ship with the package.
        trim: leave out silence before and after speech when a clip is read, as `trim_silence` does.
        strict_official: read the label files of Hume-VocalBurst and Hume-Prosody as the official code does, and refuse
            others; without it, columns may be in any order.

    Raises:
        UsageError: an unknown name, no such folder, or another layout than the published one.
    """
    if name not in LOADERS:
        raise UsageError(unknown("data set", name, LOADERS))
    if strict_official and not name.startswith("hume-"):
        raise UsageError(
            f"strict_official is of the official files of Hume-VocalBurst and Hume-Prosody, not of '{name}'"
        )
    official = {"strict_official": True} if strict_official else {}
    clips = LOADERS[name]()(None if root is None else Path(root), **official)
    return replace(clips, clips=tuple(clip._replace(trim=True) for clip in clips)) if trim else clips
