"""The verb `stats`: what the lists of images are like."""

from collections.abc import Sequence

import numpy as np
from onepaper.errors import UsageError
from onepaper.paper import Invocation

from dct_transformer.cli.options import StatsOptions
from dct_transformer.data.images import find_image_files, open_path, photographs, resize
from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.evaluation.list_statistics import PLANES, ListStatistics, list_statistics
from dct_transformer.representation.dct_image import DctImage, from_pixels, psnr, to_pixels
from dct_transformer.representation.triples import image_to_triples


def stats_verb(call: Invocation) -> None:
    """Print how long the lists of images are, where their triples are, and how well they reconstruct."""
    options: StatsOptions = call.options
    if options.dry_run:
        print(f"would encode the images of {options.path or 'the package'}")
        return
    if options.stored:
        assert options.path is not None
        files = find_image_files(options.path)
        coded, labels, classes = [read_jpeg(path) for path in files.paths], files.labels, files.classes
        print(f"{len(coded)} JPEG files, {sum(image.height * image.width for image in coded):,} pixels, as stored")
    else:
        images, labels, classes = _pixels(options)
        coded = [from_pixels(image, options.codec) for image in images]
        print(f"{len(images)} images of {options.size} x {options.size} pixels, quality {options.codec.quality}")
        quality = [psnr(to_pixels(image), pixels) for image, pixels in zip(coded, images, strict=True)]
        print(f"PSNR of the coded images: {np.mean(quality):.2f} dB, from {min(quality):.2f} to {max(quality):.2f}")
    if not any(image.nonzero for image in coded):
        raise UsageError("all coefficients are 0, so that there are no triples; give other images or a higher quality")
    lists = [image_to_triples(image, options.codec.order) for image in coded]
    _print(list_statistics(lists, coded[0].block, options.chunk), coded)
    if len(classes) > 1:
        counts = np.bincount(labels, minlength=len(classes))
        print("classes: " + ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True)))


def _pixels(options: StatsOptions) -> tuple[list[np.ndarray], Sequence[int], Sequence[str]]:
    size = (options.size, options.size)
    if options.path is None:
        return [resize(image, size) for image in photographs().values()], [], []
    opened = open_path(options.path, size, check=True)
    return [opened[index] for index in range(len(opened))], opened.labels, opened.classes


def _print(found: ListStatistics, coded: Sequence[DctImage]) -> None:
    values = sum(image.height * image.width * len(image.planes) for image in coded)
    print(f"triples: mean {found.lengths.mean():,.0f}, from {found.lengths.min():,} to {found.lengths.max():,}")
    print("quantiles: " + ", ".join(f"{name} {length:,}" for name, length in found.quantiles().items()))
    print(f"triples per pixel value: {found.lengths.sum() / values:.4f}; packed {found.packed_bytes:,.0f} bytes a list")
    print(f"chunks of a list: mean {found.chunks.mean():.1f}, at most {found.chunks.max():.0f}")
    print(f"largest value: {found.largest}; {found.ones:.1%} are 1 or -1")
    print(f"entropy: channels {found.channel_bits:.2f}, values given channels {found.value_bits:.2f} bits a triple")
    print(f"{'share of triples':<20}" + "".join(f"{plane:>8}" for plane in PLANES))
    for band, shares in enumerate(found.shares):
        first, last = (0 if band == 0 else 4 ** (band - 1)), 4**band - 1
        name = f"zigzag {first}" + (f" to {min(last, coded[0].block ** 2 - 1)}" if band else "")
        print(f"{name:<20}" + "".join(f"{share:>8.1%}" for share in shares))
