"""Pictures that ship with the package, folders of images, and tar shards of them."""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import UInt8
from onepaper.data import embedded, extract_archive, read_sums
from onepaper.errors import UsageError
from onepaper.images import image_files, read_image, readable_images
from PIL import Image

from dct_transformer.config import DataConfig

PACKAGE = "dct_transformer"
HELD_OUT_EVERY = 10
# Images are kept in memory at this multiple of the size that is trained, up to so many bytes.
OVERSAMPLING, MOST_BYTES = 2, 2**29


class Images:
    """Images of one size with classes, read when they are asked for.

    Args:
        files: paths.
        labels: class of each.
        classes: names.
        size: height and width.
        unpacked: the folder of unpacked shards, which is kept as long as the images are.
    """

    def __init__(
        self,
        files: Sequence[Path],
        labels: Sequence[int],
        classes: Sequence[str],
        size: tuple[int, int],
        unpacked: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.files, self.labels, self.classes, self.size = list(files), list(labels), tuple(classes), size
        self._keep = len(self.files) * size[0] * size[1] * 3 <= MOST_BYTES
        self._unpacked = unpacked
        self.forget()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        if index in self._kept:
            return self._kept[index]
        image = read_image(self.files[index], size=self.size)
        if self._keep:
            self._kept[index] = image
        return image

    def part(self, held_out: bool) -> Self:
        """Every tenth image, or all others."""
        chosen = [index for index in range(len(self)) if (index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == held_out]
        if not chosen:
            raise UsageError(f"{len(self)} images have no held-out part, expected at least {HELD_OUT_EVERY}")
        part = copy.copy(self)
        part.files, part.labels = [self.files[index] for index in chosen], [self.labels[index] for index in chosen]
        part.forget()
        return part

    def forget(self) -> None:
        """Keep no image in memory."""
        self._kept: dict[int, np.ndarray] = {}


def open_images(config: DataConfig, height: int, width: int) -> Images:
    """The images of a configuration, larger than the given size so that there is something to crop.

    Raises:
        UsageError: no images, or files that cannot be read.
    """
    size = (OVERSAMPLING * height, OVERSAMPLING * width)
    if config.dataset == "stamps":
        return open_path(embedded(PACKAGE, "stamps.tar"), size)
    assert config.path is not None
    return open_path(config.path, size, check=True)


class ImageFiles(NamedTuple):
    """Files with the classes that their folders are."""

    paths: list[Path]
    labels: list[int]
    classes: list[str]
    unpacked: tempfile.TemporaryDirectory[str] | None
    """where shards were unpacked, which lasts as long as it is referred to"""


def find_image_files(path: Path) -> ImageFiles:
    """The image files of a folder, of a .tar shard, or of a folder of shards.

    Names of the folders that files are in are their classes, the keys before the last slash in a shard.

    Raises:
        UsageError: nothing there.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; give a folder of images or a .tar shard")
    shards = [path] if path.is_file() else sorted(path.glob("*.tar"))
    unpacked: tempfile.TemporaryDirectory[str] | None = None
    root = path
    if shards:
        unpacked = tempfile.TemporaryDirectory(prefix="onepaper-shards-")
        root = Path(unpacked.name)
        for number, shard in enumerate(shards):
            extract_archive(shard, root / f"{number:06d}")
    files = image_files(root)
    names = [str(file.relative_to(root).parent.as_posix()) for file in files]
    if shards:
        names = [name.partition("/")[2] for name in names]
    classes = sorted(set(names))
    return ImageFiles(files, [classes.index(name) for name in names], classes, unpacked)


def open_path(path: Path, size: tuple[int, int], *, check: bool = False) -> Images:
    """The images that `find_image_files` finds.

    Args:
        path: folder or shard.
        size: height and width; images are cropped at the centre and resampled.
        check: read every file first.

    Raises:
        UsageError: nothing there, or files that cannot be read.
    """
    found = find_image_files(path)
    if check:
        readable_images(found.paths, size=size)
    return Images(found.paths, found.labels, found.classes, size, found.unpacked)


def photographs() -> dict[str, UInt8[np.ndarray, "height width 3"]]:
    """The photographs that ship with the package, by name: 256 to 385 pixels high and wide."""
    folder = embedded(PACKAGE, "stamps.tar").parent
    names = sorted(name for name in read_sums(folder) if name.startswith("photographs/"))
    return {Path(name).stem: read_image(embedded(PACKAGE, name)) for name in names}


def augment(
    image: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    config: DataConfig,
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "small_height small_width 3"]:
    """A random part of an image, mirrored or not, at the given size."""
    share = generator.uniform(1 / config.zoom, 1)
    top, left = ((1 - share) * generator.uniform() * side for side in image.shape[:2])
    box = (left, top, left + share * image.shape[1], top + share * image.shape[0])
    small = resize(image, size, box)
    return np.ascontiguousarray(small[:, ::-1]) if config.flip and generator.uniform() < 0.5 else small


def resize(
    image: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> UInt8[np.ndarray, "small_height small_width 3"]:
    """An image, or the part within (left, top, right, bottom), resampled to height and width by Lanczos."""
    return np.array(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.LANCZOS, box))
