"""The verb `upsample`: larger pictures of a folder, or a comparison with interpolation."""

from pathlib import Path

import numpy as np
from onepaper.display.file_bytes import picture_png
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.paper import Invocation
from onepaper.progress import track
from onepaper.torch.accelerator import choose_device

from imagen3.cli.options import UpsampleOptions
from imagen3.cli.tables import report_tables
from imagen3.data.buckets import cover
from imagen3.data.captions import read_caption
from imagen3.evaluation.upsampling import MEASURES, compare_methods
from imagen3.pretrained.upsamplers import Upsampler, open_upsampler
from imagen3.upsampling import upsample


def upsample_verb(call: Invocation) -> None:
    """Write PNG files and a page, or with `--compare` a table, into the run folder."""
    options = call.options
    assert isinstance(options, UpsampleOptions)
    if options.dry_run:
        print(f"would enlarge the pictures of {options.pictures} by {options.scale}")
        return
    upsampler = open_upsampler(options.upsampler).to(choose_device(options.device))
    files = image_files(options.pictures)
    prompts = [read_caption(file) or options.prompt for file in files]
    if options.compare:
        _compare(call, upsampler, files, prompts)
        return
    with call.open_run() as run:
        for number, file in enumerate(track(files, "upsampling")):
            small = cropped(read_image(file), upsampler.config.unit)
            large = upsample(
                upsampler, small[None], [prompts[number]], scale=options.scale, seed=options.seed, first=number
            )
            save_samples(run.folder, {f"{number:05d}-{file.stem}.png": picture_png(large[0])})
        print(f"{len(files):,} pictures: {write_gallery(run.folder, f'{options.scale} times as large')}")


def _compare(call: Invocation, upsampler: Upsampler, files: list[Path], prompts: list[str]) -> None:
    options = call.options
    assert isinstance(options, UpsampleOptions)
    side = upsampler.config.data.size
    large = np.stack([read_image(file, size=(side, side)) for file in files])
    found = compare_methods(upsampler, large, prompts, scale=options.scale, seed=options.seed)
    rows = [("method", *MEASURES), *((name, *(f"{value:.4g}" for value in own)) for name, own in found.items())]
    print(f"{len(large):,} pictures of {side} x {side} pixels, {options.scale} times")
    report_tables(call, {"Reduced and enlarged again": rows})


def cropped(pixels: np.ndarray, unit: int) -> np.ndarray:
    """The middle of a picture, with sides that are multiples of `unit`; a picture below it is resized to it."""
    if min(pixels.shape[:2]) < unit:
        return cover(pixels, (unit, unit))
    height, width = (side // unit * unit for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]
