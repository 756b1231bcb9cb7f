"""The verb `sample`: pictures, colourisation, super-resolution and in-painting, and a page that shows them."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from onepaper.config import unknown
from onepaper.display.file_bytes import picture_png, tile_pictures
from onepaper.display.gallery import save_samples, write_gallery
from onepaper.errors import UsageError
from onepaper.images import read_image
from onepaper.paper import Invocation
from onepaper.torch.accelerator import choose_device

from dct_transformer.cli.options import SampleOptions
from dct_transformer.data.examples import image_example
from dct_transformer.data.images import photographs, resize
from dct_transformer.evaluation.heat_maps import detail_counts, heat_map
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.pretrained.networks import class_names, open_network
from dct_transformer.representation.triples import Triples
from dct_transformer.sampling import Known, known_bands, known_luma, known_region, pixels, sample

SHIPPED = "chelsea"
# Pictures are enlarged to about so many pixels on the page.
SHOWN = 128
# Progressive decoding: parts of a list, and for how many lists.
PREFIXES, PREFIX_ROWS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0), 8


def sample_verb(call: Invocation) -> None:
    """Draw pictures into the run folder, and sheets of all, of their prefixes and detail, and after every chunk."""
    options: SampleOptions = call.options
    if options.dry_run:
        print(f"would draw {options.count} pictures ({options.task}) from {options.weights}")
        return
    model = open_network(options.weights)
    model.to(choose_device(options.device))
    labels = _labels(model, options)
    known, given, hints = _conditions(model, options)
    previews: dict[str, bytes] = {}

    def draw(triples: Triples) -> np.ndarray:
        return pixels(model, triples, given[0] if given is not None else None)

    def preview(chunks: int, lists: list[Triples]) -> None:
        previews[f"after-{chunks}-chunks.png"] = _sheet([draw(triples) for triples in lists])

    with call.open_run() as run:
        begun = time.perf_counter()
        lists = sample(
            model, options.count, options.sampling, seed=options.seed, labels=labels, known=known, given=given,
            hints=hints, preview=preview,
        )  # fmt: skip
        seconds = time.perf_counter() - begun
        images = [draw(triples) for triples in lists]
        files = {f"sample-{index}.png": picture_png(image) for index, image in enumerate(images)}
        sheets = {"all.png": _sheet(images), "prefixes.png": _sheet(_prefixes(lists, draw), len(PREFIXES))}
        if options.task == "generate":
            maps = [heat_map(model.config, detail_counts(model.config, triples)) for triples in lists]
            sheets["heat-maps.png"] = _sheet(maps)
        save_samples(run.folder, sheets | previews | files)
        page = write_gallery(run.folder, f"{options.task} by {options.weights}, seed {options.seed}")
    total = sum(triples.length for triples in lists)
    rate = total / seconds
    print(f"{options.count} pictures of {total:,} triples in {seconds:.1f} s, {rate:,.0f} triples a second; {page}")


def _labels(model: DCTransformer, options: SampleOptions) -> list[int] | None:
    if not options.label:
        return None
    if not model.config.classes:
        raise UsageError(f"label is '{options.label}', and {options.weights} has no classes; leave out --label")
    names = class_names(options.weights)
    if options.label in names:
        return [names.index(options.label)] * options.count
    if not options.label.isdecimal():
        numbers = [str(number) for number in range(model.config.classes)]
        raise UsageError(unknown("label", options.label, names or numbers))
    return [int(options.label)] * options.count


def _conditions(
    model: DCTransformer, options: SampleOptions
) -> tuple[Sequence[Known] | None, Sequence[Triples] | None, Sequence[Triples] | None]:
    """What is known, given and shown, from the image of a task."""
    task, condition = options.task, model.config.condition
    if task == "generate" and condition == "none":
        if options.image is not None:
            raise UsageError("--image is for --task colorize, upscale or inpaint")
        return None, None, None
    size = (model.config.height, model.config.width)
    photograph = photographs()[SHIPPED]
    image = resize(photograph, size) if options.image is None else read_image(options.image, size=size)
    example = image_example(image, model.config.classes, model.config)
    if condition == "luma":
        return None, [example.given] * options.count, None
    if condition == "low-resolution":
        assert example.hint is not None
        return None, None, [example.hint] * options.count
    if task == "colorize":
        known = known_luma(model, example.triples)
    elif task == "upscale":
        known = known_bands(model, example.triples, options.bands)
    else:
        missing = np.zeros(size, bool)
        missing[:, size[1] // 2 :] = True
        known = known_region(model, example.triples, missing)
    return [known] * options.count, None, None


def _prefixes(lists: Sequence[Triples], draw: Callable[[Triples], np.ndarray]) -> list[np.ndarray]:
    """Pictures of growing parts of the first lists, a row for each."""
    return [draw(triples[: round(part * triples.length)]) for triples in lists[:PREFIX_ROWS] for part in PREFIXES]


def _sheet(images: list[np.ndarray], columns: int = 8) -> bytes:
    scale = max(1, SHOWN // images[0].shape[0])
    return picture_png(tile_pictures(np.stack(images), columns, gap=2, scale=scale))
