"""JPEG files as the coefficients that are stored in them: no pixels are decoded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

from dct_transformer.config import CHROMA_STEPS, DataConfig, ModelConfig
from dct_transformer.data.images import MOST_BYTES, ImageFiles, Images, find_image_files, open_images
from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.representation.codec import color_tables, layout_for
from dct_transformer.representation.dct_edits import change_tables, crop, mirror, unit_size, with_chroma
from dct_transformer.representation.dct_image import DctImage, to_pixels
from dct_transformer.representation.triples import Triples


@unmeasured
class StoredImages(Images):
    """JPEG files with classes, at the size, tables and subsampling of a network.

    Files with other tables are quantised again, to those of the network; grey files have chroma of 0.

    Args:
        files: paths with their classes.
        config: of the network, with blocks of 8.

    Raises:
        UsageError: a network with other blocks, or one that needs pixels.
    """

    def __init__(self, files: ImageFiles, config: ModelConfig) -> None:
        super().__init__(files.paths, files.labels, files.classes, (config.height, config.width), files.unpacked)
        if config.codec.block != 8:
            raise UsageError(f"--data.stored needs blocks of 8, which JPEG files have; block is {config.codec.block}")
        if config.condition == "low-resolution":
            raise UsageError("--data.stored has no low-resolution version; train on pixels for super-resolution")
        self.config, self.layout = config, layout_for(config)
        self.tables = color_tables(config.codec)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Pixels of the part at the centre, to look at."""
        return to_pixels(self._part_of(self.coded(index), (0.5, 0.5)))

    def forget(self) -> None:
        """Keep no coefficients in memory."""
        self._kept_bytes, self._coded = 0, dict[int, DctImage]()

    def coded(self, index: int) -> DctImage:
        """The coefficients of a file, in colour, with the tables of the network.

        Raises:
            UsageError: not JPEG, damaged, smaller than the network's images, or with another subsampling.
        """
        if index in self._coded:
            return self._coded[index]
        path, codec = self.files[index], self.config.codec
        steps = CHROMA_STEPS[codec.subsampling]
        found = with_chroma(read_jpeg(path), steps, self.tables[1])
        if found.steps[1] != steps:
            names = {value: name for name, value in CHROMA_STEPS.items()}
            raise UsageError(
                f"{path} has subsampling {names.get(found.steps[1], found.steps[1])}, the network "
                f"{codec.subsampling}; set --model.codec.subsampling, or train on pixels"
            )
        if found.height < self.size[0] or found.width < self.size[1]:
            raise UsageError(
                f"{path} has {found.width} x {found.height} pixels, expected {self.size[1]} x {self.size[0]} at least"
            )
        image = change_tables(found, self.tables)
        self._kept_bytes += sum(plane.nbytes for plane in image.planes)
        if self._kept_bytes <= MOST_BYTES:
            self._coded[index] = image
        return image

    def centre(self, index: int) -> Triples:
        """The list of the part at the centre, as far as blocks allow."""
        return self.layout.to_triples(self._part_of(self.coded(index), (0.5, 0.5)))

    def random_part(self, index: int, data: DataConfig, generator: np.random.Generator) -> Triples:
        """The list of a random part that begins at block boundaries, mirrored or not."""
        part = self._part_of(self.coded(index), tuple(generator.uniform(size=2)))
        return self.layout.to_triples(mirror(part) if data.flip and generator.uniform() < 0.5 else part)

    def _part_of(self, image: DctImage, place: Sequence[float]) -> DctImage:
        unit, sides = unit_size(image), (image.height, image.width)
        top, left = (
            int(share * ((side - own) // step + 1)) * step
            for share, side, own, step in zip(place, sides, self.size, unit, strict=True)
        )
        return crop(image, top, left, *self.size)


def open_pictures(data: DataConfig, config: ModelConfig) -> Images:
    """The images of a configuration for a network, from pixels or from the coefficients in JPEG files.

    Raises:
        UsageError: no images, or files that cannot be read or do not fit the network.
    """
    if not data.stored:
        return open_images(data, config.height, config.width)
    assert data.path is not None
    images = StoredImages(find_image_files(Path(data.path)), config)
    for index in range(len(images)):
        images.coded(index)
    if data.flip and config.width % unit_size(images.coded(0))[1]:
        raise UsageError(
            f"a width of {config.width} is no multiple of {unit_size(images.coded(0))[1]}, the size of units, so that "
            "images cannot be mirrored; give --no-data.flip"
        )
    return images
