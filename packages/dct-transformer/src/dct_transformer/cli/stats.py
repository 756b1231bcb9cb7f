"""The verb `stats`: lengths of the lists of images."""

import numpy as np
from onepaper.paper import Invocation

from dct_transformer.cli.options import StatsOptions
from dct_transformer.data.images import open_path, photographs, resize
from dct_transformer.representation.dct_image import from_pixels, psnr, to_pixels
from dct_transformer.representation.triples import image_to_triples


def stats_verb(call: Invocation) -> None:
    """Print how long the lists of images are, and how well they reconstruct."""
    options: StatsOptions = call.options
    if options.dry_run:
        print(f"would encode the images of {options.path or 'the package'}")
        return
    size = (options.size, options.size)
    if options.path is None:
        images = [resize(image, size) for image in photographs().values()]
    else:
        opened = open_path(options.path, size, check=True)
        images = [opened[index] for index in range(len(opened))]
    coded = [from_pixels(image, options.codec) for image in images]
    lengths = np.array([image.nonzero for image in coded])
    quality = [psnr(to_pixels(image), pixels) for image, pixels in zip(coded, images, strict=True)]
    largest = max(int(np.abs(image_to_triples(image).values).max(initial=0)) for image in coded)
    print(f"{len(images)} images of {options.size} x {options.size} pixels, quality {options.codec.quality}")
    print(f"triples: mean {lengths.mean():,.0f}, from {lengths.min():,} to {lengths.max():,}")
    print(f"triples per pixel value: {lengths.mean() / (3 * options.size**2):.4f}")
    print(f"largest value: {largest}; PSNR of the coded images: {np.mean(quality):.2f} dB")
