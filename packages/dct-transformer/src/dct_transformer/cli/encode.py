"""The verb `encode`: an image to a list of triples."""

from pathlib import Path

import numpy as np
from onepaper.display.file_bytes import picture_png
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.images import read_image
from onepaper.paper import Invocation

from dct_transformer.cli.options import EncodeOptions
from dct_transformer.data.images import photographs
from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.representation.dct_image import DctImage, from_pixels, psnr, to_pixels
from dct_transformer.representation.list_files import write_list
from dct_transformer.representation.triples import layout_of

SHIPPED = "chelsea"


def encode_verb(call: Invocation) -> None:
    """Write the list of an image, and pictures of growing prefixes of it."""
    options: EncodeOptions = call.options
    source = options.image or f"the photograph {SHIPPED}"
    if options.dry_run:
        print(f"would encode {source}")
        return
    image, pixels = _image(options)
    order = options.codec.order
    layout = layout_of(image.height, image.width, image.block, image.steps, order)
    triples = layout.to_triples(image)
    lengths = np.unique(np.geomspace(1, max(triples.length, 1), options.stages).astype(int))
    files = {
        f"prefix-{length}.png": picture_png(to_pixels(layout.to_image(triples[:length], image.tables)))
        for length in lengths
    }
    with call.open_run() as run:
        path = write_list(run.folder / "triples.npz", image, order)
        save_samples(run.folder, files)
        page = write_gallery(run.folder, f"{source}: {triples.length:,} triples")
    share = triples.length / (image.height * image.width * len(image.planes))
    print(f"{triples.length:,} triples, {share:.3f} of the pixel values; PSNR {psnr(to_pixels(image), pixels):.1f} dB")
    print(f"list: {path}; preview: {page}")
    print(f"next: onepaper {call.paper.name} decode --triples {path}")


def _image(options: EncodeOptions) -> tuple[DctImage, np.ndarray]:
    if options.stored:
        if options.image is None:
            raise UsageError("--stored takes the coefficients of a JPEG file; give it with --image")
        image = read_jpeg(options.image)
        return image, read_image(options.image, channels=1 if len(image.planes) == 1 else 3) if _upright(
            options.image, image
        ) else to_pixels(image)
    pixels = read_image(options.image) if options.image is not None else photographs()[SHIPPED]
    return from_pixels(pixels, options.codec), pixels


def _upright(path: Path, image: DctImage) -> bool:
    """Whether a file's pixels are in the order of its coefficients: its EXIF data may turn them."""
    return read_image(path).shape[:2] == (image.height, image.width)
