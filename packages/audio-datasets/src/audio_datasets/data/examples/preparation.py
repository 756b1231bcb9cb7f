"""Example sets from Debian packages: from a .deb file, an unpacked folder, or the installed package."""

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from onepaper.data import extract_archive
from onepaper.errors import UsageError
from onepaper.runs import new_folder

from audio_datasets.data.examples import hedgewars, openarena, prompts
from audio_datasets.data.examples.debian import copy_files, extract_files

_COPYRIGHT = "usr/share/doc/{}/copyright"
PACKAGES = {
    hedgewars.NAME: hedgewars.PACKAGE,
    openarena.NAME: openarena.PACKAGE,
    prompts.NAME: " ".join(voice.package for voice in prompts.VOICES.values()),
}


def prepare(name: str, folder: Path, source: Path | None = None) -> int:
    """Write the clips of an example set and the package's copyright file into the new folder `folder`.

    Args:
        name: id of the set.
        folder: must not exist yet.
        source: a .deb file, or a folder that one is unpacked into; None takes the installed package. For the
            prompts, which come from six packages, a folder that holds all .deb files, or into which all are unpacked.

    Returns:
        The number of clips.

    Raises:
        UsageError: not one of these sets, no such package, or a damaged one.
        OnePaperError: the folder exists, or the disk is full.
    """
    if name not in PACKAGES:
        raise UsageError(f"'{name}' is not prepared from a package; expected {', '.join(PACKAGES)}")
    package = PACKAGES[name]
    if name == prompts.NAME:
        return _prepare_prompts(source, folder)
    if source is None:
        source = Path("/")
        installed = source / (hedgewars.FOLDER if name == hedgewars.NAME else openarena.ARCHIVE)
        if not installed.exists():
            raise UsageError(
                f"the Debian package {package} is not installed; run `apt-get download {package}` and give the .deb "
                "file with --root"
            )
    elif not source.exists():
        raise UsageError(f"{source} does not exist; give a .deb file or the folder that it is unpacked into")
    if name == hedgewars.NAME:
        return _unpack(source, folder, (hedgewars.FOLDER,), package) - 1
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "package"
        _unpack(source, raw, (openarena.ARCHIVE,), package)
        sounds = extract_archive(raw / PurePosixPath(openarena.ARCHIVE).name, Path(scratch) / "pk3")
        return _copy_sounds(sounds, raw / "copyright", folder)


def _unpack(source: Path, folder: Path, prefixes: tuple[str, ...], package: str) -> int:
    copyright_file = PurePosixPath(_COPYRIGHT.format(package))

    def wanted(path: PurePosixPath) -> PurePosixPath | None:
        if path == copyright_file:
            return PurePosixPath("copyright")
        for prefix in map(PurePosixPath, prefixes):
            if path == prefix:
                return PurePosixPath(path.name)
            if prefix in path.parents:
                return path.relative_to(prefix)
        return None

    if source.is_file():
        return extract_files(source, folder, wanted)
    if source == Path("/"):  # only the folders of the package, not the whole system
        return copy_files(source, folder, wanted, (*prefixes, str(copyright_file)))
    return copy_files(source, folder, wanted)


def _copy_sounds(sounds: Path, notice: Path, folder: Path) -> int:
    def wanted(path: PurePosixPath) -> PurePosixPath | None:
        inside = PurePosixPath("sound/player")
        return path.relative_to(inside) if inside in path.parents and path.suffix == ".wav" else None

    count = copy_files(sounds, folder, wanted)
    if notice.is_file():
        (folder / "copyright").write_bytes(notice.read_bytes())
    return count


def _prepare_prompts(source: Path | None, folder: Path) -> int:
    """The voices of all packages; files of GSM, which has no header, become WAV files of the same samples."""
    download = f"run `apt-get download {PACKAGES[prompts.NAME]}` and give the folder of these files with --root"
    if source is None:
        raise UsageError(f"'{prompts.NAME}' is prepared from six Debian packages; {download}")
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder; {download}")

    def wanted(path: PurePosixPath) -> PurePosixPath | None:
        parts = path.parts
        if path.name == "copyright" and len(parts) > 1 and parts[-2] in PACKAGES[prompts.NAME].split():
            return PurePosixPath(f"copyright-{parts[-2]}")
        inside = PurePosixPath(prompts.FOLDER)
        known = inside in path.parents and path.relative_to(inside).parts[0] in prompts.VOICES
        return path.relative_to(inside) if known and path.suffix in (".g722", ".gsm", ".wav") else None

    with tempfile.TemporaryDirectory() as scratch:
        versions = (sorted(source.glob(f"{voice.package}_*.deb")) for voice in prompts.VOICES.values())
        found = [paths[-1] for paths in versions if paths]
        parts = [Path(scratch) / str(number) for number in range(max(1, len(found)))]
        for package, part in zip(found or [source], parts, strict=True):
            (extract_files if found else copy_files)(package, part, wanted)
        missing = [name for name in prompts.VOICES if not any((part / name).is_dir() for part in parts)]
        if missing:
            raise UsageError(
                f"{source} holds no voice {missing[0]} of {prompts.VOICES[missing[0]].package}; {download}"
            )
        count = 0
        with new_folder(folder) as content:
            for part in parts:
                for path in sorted(path for path in part.rglob("*") if path.is_file()):
                    target = content / path.relative_to(part)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if path.suffix == ".gsm":
                        prompts.decode_gsm(path, target.with_suffix(".wav"))
                    else:
                        shutil.copyfile(path, target)
                    count += bool(path.suffix)
        return count
