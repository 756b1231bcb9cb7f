"""Claims about the representation, on the photographs that ship with the package."""

import functools

import numpy as np
from onepaper.claims import ClaimContext, Evidence, ImageGrid, Measurement, Plot, Table
from onepaper.display.plots import lines
from scipy.stats import spearmanr

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.representation.codec import color_layout
from dct_transformer.representation.dct_image import from_pixels, psnr, to_pixels

SIZES, QUALITIES = (192, 256), (50, 60)
# Prefixes of each list, and those that are shown.
PREFIXES, SHOWN = 20, 7
SHOWN_PHOTOGRAPHS = ("chelsea", "coffee", "dragonfly")


@functools.cache
def squares(size: int) -> dict[str, np.ndarray]:
    """The photographs, cropped at the centre, at a size."""
    found = {}
    for name, image in photographs().items():
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        found[name] = resize(image, (size, size), (left, top, left + side, top + side))
    return found


def lengths(context: ClaimContext) -> Evidence:
    """Triples for each pixel value, and how much the length varies."""
    rows, shares, spreads = [], [], []
    for size in SIZES:
        for quality in QUALITIES:
            config = CodecConfig(quality=quality)
            found = np.array([from_pixels(image, config).nonzero for image in squares(size).values()])
            share, spread = found.mean() / (3 * size**2), found.max() / found.min()
            shares.append(share)
            spreads.append(spread)
            rows.append(
                (
                    f"{size}",
                    f"{quality}",
                    f"{found.mean():,.0f}",
                    f"{found.min():,}",
                    f"{found.max():,}",
                    f"{share:.4f}",
                )
            )
    header = ("pixels", "quality", "mean triples", "fewest", "most", "triples per pixel value")
    measured = [
        Measurement.exact("largest share of the pixel values", max(shares)),
        Measurement.exact("smallest ratio of longest to shortest", min(spreads)),
    ]
    return Evidence("", measured, [Table(f"{len(squares(SIZES[0]))} photographs", header, rows)])


def prefixes(context: ClaimContext) -> Evidence:
    """Whether longer prefixes are nearer to the complete image."""
    size, config = SIZES[-1], CodecConfig()
    layout = color_layout(size, size, config)
    correlations, curves, shown = [], [], []
    for name, pixels in squares(size).items():
        image = from_pixels(pixels, config)
        triples = layout.to_triples(image)
        complete = to_pixels(image)
        # The last prefix is the complete list, whose PSNR would be infinite.
        counts = np.geomspace(16, triples.length, PREFIXES + 1).astype(int)[:-1]
        pictures = [to_pixels(layout.to_image(triples[:count], image.tables)) for count in counts]
        quality = [psnr(picture, complete) for picture in pictures]
        correlations.append(float(np.asarray(spearmanr(counts, quality)[0])))
        curves.append((counts / triples.length, quality))
        if name in SHOWN_PHOTOGRAPHS:
            shown += [*pictures[:: -(-PREFIXES // (SHOWN - 1))], complete]
    names = {("prefixes" if index == 0 else f"_{index}"): curve for index, curve in enumerate(curves[:8])}
    figure = lines(names, "part of the list", "PSNR to the complete image (dB)", log_x=True)
    small = np.stack([resize(picture, (64, 64)) for picture in shown])
    return Evidence(
        "",
        [
            Measurement.exact("photographs", len(correlations)),
            Measurement.exact("smallest rank correlation of length and PSNR", min(correlations)),
        ],
        [
            Plot("Growing prefixes of eight photographs", figure),
            ImageGrid(
                "Decoded prefixes; the complete image last", small / 255, columns=len(small) // len(SHOWN_PHOTOGRAPHS)
            ),
        ],
    )


def libjpeg_agreement(context: ClaimContext) -> Evidence:
    """Coefficients from pixels and from libjpeg's file of the same pixels, and files written and read again."""
    from dct_transformer.data.jpeg_files import jpeg_bytes, read_jpeg_bytes
    from dct_transformer.experiments.pillow_files import saved_by_pillow

    equal, largest, exact = [], 0, True
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        config = CodecConfig(quality=75, subsampling=subsampling)
        for pixels in photographs().values():
            ours, theirs = from_pixels(pixels, config), read_jpeg_bytes(saved_by_pillow(pixels, config))
            for mine, other in zip(ours.planes, theirs.planes, strict=True):
                equal.append(float((mine == other).mean()))
                largest = max(largest, int(np.abs(mine.astype(int) - other).max()))
            again = read_jpeg_bytes(jpeg_bytes(theirs))
            exact &= all(np.array_equal(a, b) for a, b in zip(theirs.planes, again.planes, strict=True))
            exact &= all(np.array_equal(a, b) for a, b in zip(theirs.tables, again.tables, strict=True))
    return Evidence(
        "",
        [
            Measurement.exact("smallest part of equal coefficients", min(equal)),
            Measurement.exact("largest difference", largest),
            Measurement.exact("files equal after writing and reading", float(exact)),
        ],
    )
