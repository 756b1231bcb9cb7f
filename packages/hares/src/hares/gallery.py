"""Clips and their nearest neighbours by an embedding, as a page to look at and to listen to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from onepaper.display.file_bytes import wav_bytes
from onepaper.display.gallery import File, Item, Section, save_samples, write_page

from hares.data.embedded import RATE, Clip
from hares.data.mini import MiniTask
from hares.evaluation import Embedding, embed_parts
from hares.figures import spectrogram_picture


@dataclass(frozen=True)
class Neighbours:
    """A clip with its nearest clips of other groups.

    Attributes:
        query: the clip.
        nearest: the nearest first.
        similarities: cosines, of features with mean 0 and deviation 1.
    """

    query: Clip
    nearest: tuple[Clip, ...]
    similarities: tuple[float, ...]


def find_neighbours(embedding: Embedding, task: MiniTask, queries: int, count: int) -> list[Neighbours]:
    """Neighbours of clips at equal distances in the table; clips of the query's own group are left out.

    Args:
        embedding: frozen.
        task: whose clips are compared.
        queries: number of clips, at most all.
        count: neighbours of each.

    Raises:
        UsageError: an embedding is not finite.
    """
    clips = task.clips()
    features, owners = embed_parts(embedding, [clip.samples for clip in clips], task.crop_seconds)
    rows = unit_rows(features, owners)
    found: list[Neighbours] = []
    for index in range(0, len(clips), max(1, len(clips) // queries)):
        similar = rows @ rows[index]
        similar[[clip.group == clips[index].group for clip in clips]] = -np.inf
        nearest = [int(other) for other in np.argsort(-similar, kind="stable")[:count] if np.isfinite(similar[other])]
        values = tuple(float(similar[other]) for other in nearest)
        found.append(Neighbours(clips[index], tuple(clips[other] for other in nearest), values))
    return found[:queries]


def unit_rows(
    features: Float[np.ndarray, "parts dim"], owners: npt.NDArray[np.int64]
) -> Float[np.ndarray, "clips dim"]:
    """The mean of each clip's parts, standardised over clips, with length 1."""
    sums = np.zeros((int(owners.max()) + 1, features.shape[1]))
    np.add.at(sums, owners, features)
    means = sums / np.bincount(owners)[:, None]
    rows = (means - means.mean(0)) / np.maximum(means.std(0), 1e-12)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def write_neighbours(found: list[Neighbours], folder: Path, title: str) -> Path:
    """A page with a section for each query: spectrograms and players of the clip and of its neighbours.

    Raises:
        OnePaperError: the disk is full or the folder cannot be written.
    """
    files: dict[str, bytes] = {}
    sections: list[Section] = []
    for each in found:
        items = [_item(each.query, f"query, {each.query.label}", files)]
        for clip, similarity in zip(each.nearest, each.similarities, strict=True):
            items.append(_item(clip, f"{clip.label}, {similarity:.2f}", files))
        same = sum(clip.label == each.query.label for clip in each.nearest)
        sections.append(Section(items, f"{each.query.name}: {same} of {len(each.nearest)} neighbours have its label"))
    save_samples(folder, files)
    lead = "Neighbours are of other groups than the query (recordings, voices, instruments); the number is the cosine."
    return write_page(folder, title, sections, lead)


def _item(clip: Clip, caption: str, files: dict[str, bytes]) -> Item:
    """Picture and player of a clip with its name, whose files are added once."""
    name = "".join(letter if letter.isalnum() else "-" for letter in f"{clip.name}-{clip.group}")
    files.setdefault(f"{name}.png", spectrogram_picture(clip.samples))
    files.setdefault(f"{name}.wav", wav_bytes(clip.samples, RATE))
    kinds = (("png", "picture"), ("wav", "sound"))
    shown = [File(f"{name}.{end}", f"{name}.{end}", kind, is_link=False) for end, kind in kinds]
    return Item(shown, f"{caption}: {clip.name}")
