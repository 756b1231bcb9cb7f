"""Studies of pictures in folders, and the pictures as raters see them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from onepaper.config import shortened
from onepaper.errors import UsageError, explain_os_error
from onepaper.images.folders import SUFFIXES
from onepaper.images.reading import read_image
from onepaper.progress import track
from onepaper.runs import write_atomic
from PIL import Image, ImageOps

from imagen3.data.tables import numbered_rows
from imagen3.human.questions import question_of
from imagen3.human.votes import pair_indices

REFERENCES = "references"
LONGEST_PROMPT = 10_000
_QUALITY = 95
_BACKGROUND = (128, 128, 128)


class Prompt(NamedTuple):
    """A line of prompts.csv."""

    prompt_id: str
    prompt: str
    noun: str = ""
    """what is counted, for the aspect counting"""


class Study(NamedTuple):
    """A question about two models, or about one where objects are counted."""

    aspect: str
    first: int
    second: int | None


@dataclass(frozen=True)
class StudyFolder:
    """A folder with `prompts.csv` and a folder of pictures for each model, named by the prompts' ids.

    The pictures of `references` show what those of the aspect `detail` should contain.
    """

    folder: Path
    aspects: tuple[str, ...]
    models: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    files: tuple[tuple[Path, ...], ...]
    """by source and prompt; sources are the models and, where some aspect needs them, the references"""

    @property
    def studies(self) -> tuple[Study, ...]:
        """All pairs, or all models, for each aspect."""
        pairs = list(zip(*(own.tolist() for own in pair_indices(len(self.models))), strict=True))
        single = [(index, None) for index in range(len(self.models))]
        return tuple(
            Study(aspect, first, second)
            for aspect in self.aspects
            for first, second in (pairs if question_of(aspect).pictures == 2 else single)
        )

    def digest(self, size: int) -> str:
        """SHA-256 of what raters see: questions, models, prompts and files, at a size."""
        listed = [str((size, self.aspects, self.models, self.prompts))]
        for file in (file for source in self.files for file in source):
            listed.append(f"{file.relative_to(self.folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}")
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def read_study(folder: Path, aspects: Sequence[str]) -> StudyFolder:
    """The study of a folder, every name checked; pictures are decoded by `prepare_pictures`.

    Raises:
        UsageError: no folder or table, ids that are there twice or are no file names, too few models, or a picture that
            is missing or there twice.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give one with prompts.csv and a folder for each model")
    if not aspects or len(set(aspects)) < len(aspects):
        raise UsageError(f"aspects are {' '.join(aspects) or 'empty'}, expected one or more different ones")
    questions = [question_of(aspect) for aspect in aspects]
    prompts = _read_prompts(folder / "prompts.csv")
    sources = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    models = tuple(path.name for path in sources if path.name != REFERENCES)
    needed = max(question.pictures for question in questions)
    if len(models) < needed:
        raise UsageError(f"{folder} has {len(models)} folders of models, expected at least {needed}")
    if "counting" in aspects and not all(prompt.noun for prompt in prompts):
        raise UsageError(f"{folder / 'prompts.csv'}: noun is empty, expected what is counted for each prompt")
    shown = (*models, *([REFERENCES] if any(question.shows_reference for question in questions) else []))
    files = tuple(_files(folder / name, prompts) for name in shown)
    return StudyFolder(folder, tuple(aspects), models, tuple(prompts), files)


def _read_prompts(path: Path) -> list[Prompt]:
    prompts = dict[str, Prompt]()
    for where, values in numbered_rows(path, Prompt._fields[:2], Prompt._fields[2:]):
        prompt = Prompt(**values)
        name = prompt.prompt_id
        if "/" in name or name.startswith("."):
            raise UsageError(f"{where}: prompt_id is {shortened(name)}, expected the name of a file")
        if name in prompts:
            raise UsageError(f"{where}: prompt_id {shortened(name)} is there twice")
        if len(prompt.prompt) > LONGEST_PROMPT:
            raise UsageError(f"{where}: the prompt has {len(prompt.prompt):,} characters, expected at most 10,000")
        prompts[name] = prompt
    return list(prompts.values())


def _files(folder: Path, prompts: Sequence[Prompt]) -> tuple[Path, ...]:
    """The picture of each prompt."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and path.is_file():
            found.setdefault(path.stem, []).append(path)
    missing = [prompt.prompt_id for prompt in prompts if prompt.prompt_id not in found]
    if missing:
        raise UsageError(f"{folder} lacks the pictures of {len(missing)} prompts, such as {shortened(missing[0])}")
    for prompt in prompts:
        if len(found[prompt.prompt_id]) > 1:
            names = ", ".join(path.name for path in found[prompt.prompt_id])
            raise UsageError(f"{folder} has several pictures of one prompt: {names}; keep one")
    return tuple(found[prompt.prompt_id][0] for prompt in prompts)


class PictureStore:
    """Pictures as raters get them: JPEG files of one size in pixels and one size in bytes, without metadata.

    Neither a name nor a number of bytes, nor a header of the answer, shows which model made a picture.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes = max(path.stat().st_size for path in folder.glob("*.jpg"))

    def read(self, source: int, prompt: int) -> bytes:
        """One picture; decoders ignore what follows the end of a JPEG image, here zeros up to the common size."""
        return (self._folder / _name(source, prompt)).read_bytes().ljust(self._bytes, b"\0")


def prepare_pictures(study: StudyFolder, folder: Path, size: int) -> PictureStore:
    """Encode all pictures of a study again, before the first rater comes: each is made at the same expense.

    A picture is scaled to fit into a square of `size` pixels (Lanczos) on grey. Those that are there already are kept.

    Raises:
        UsageError: a picture cannot be read.
        OnePaperError: the disk is full or the folder cannot be written.
    """
    jobs = [
        (file, folder / _name(source, prompt))
        for source, files in enumerate(study.files)
        for prompt, file in enumerate(files)
    ]
    with explain_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for file, target in track(jobs, "encoding pictures"):
        if not target.is_file():
            write_atomic(target, encode_picture(file, size))
    return PictureStore(folder)


def encode_picture(file: Path, size: int) -> bytes:
    """An image file as a JPEG image of `size` by `size` pixels without metadata."""
    content = BytesIO()
    picture = Image.fromarray(read_image(file))
    fitted = ImageOps.pad(picture, (size, size), Image.Resampling.LANCZOS, color=_BACKGROUND)
    fitted.save(content, "JPEG", quality=_QUALITY, subsampling=0)
    return content.getvalue()


def _name(source: int, prompt: int) -> str:
    return f"{source}-{prompt}.jpg"
