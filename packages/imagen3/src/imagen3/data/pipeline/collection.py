"""A folder of pictures with captions through all stages, into a folder that `train` reads."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.progress import track

from imagen3.config import FilterConfig
from imagen3.data.captions import read_caption
from imagen3.data.pipeline.pictures import machine_made, quality
from imagen3.data.pipeline.records import Decision, Record, Stage, each, kept_names, manifest, run_stages, summary
from imagen3.data.pipeline.similar import group_weights, layout, perceptual_hash, similar_groups
from imagen3.data.pipeline.texts import Safe, classified, privacy, unsafe_words, words_of

HEADER = 65_536


def read_records(folder: Path) -> list[Record]:
    """The pictures below a folder, each with the text in NAME.txt beside it, if there is one.

    Raises:
        UsageError: no pictures, or a caption that is no text.
    """
    records = []
    for file in track(image_files(folder), "reading pictures"):
        try:
            pixels = read_image(file)
        except UsageError:
            pixels = None
        with file.open("rb") as opened:
            header = opened.read(HEADER)
        records.append(Record(file, read_caption(file), pixels, header))
    return records


def read_words(file: Path | None) -> frozenset[str]:
    """The words of a list, one or several on a line; `#` begins a comment.

    Raises:
        UsageError: the file is missing, or no text.
    """
    if file is None:
        return frozenset()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the list of words {file} cannot be read ({error}); give a text file") from None
    return frozenset(filter(None, (" ".join(words_of(line.partition("#")[0])) for line in lines)))


def similar(records: list[Record], config: FilterConfig) -> list[Decision]:
    """Of each group of similar pictures keep the largest, or lower the weights of all."""
    if not records:
        return []
    hashes, layouts = zip(*((perceptual_hash(own.pixels), layout(own.pixels)) for own in records), strict=True)  # pyright: ignore
    groups = similar_groups(np.stack(hashes), np.stack(layouts), config.hash_bits, config.layout_tolerance)
    if config.similar == "weigh":
        weights = group_weights(groups, config.similar_exponent)
        sizes = np.bincount(groups)
        return [
            Decision("weighed" if sizes[group] > 1 else "", weight=float(weight))
            for group, weight in zip(groups, weights, strict=True)
        ]
    pixels = np.array([own.pixels.shape[0] * own.pixels.shape[1] for own in records])  # pyright: ignore
    order = np.lexsort((np.arange(len(records)), -pixels))
    kept = set(order[np.unique(groups[order], return_index=True)[1]].tolist())
    return [Decision() if number in kept else Decision("duplicate", drop=True) for number in range(len(records))]


def stages(config: FilterConfig, safe: Safe | None = None) -> list[Stage]:
    """The stages in the order of the report (paper, section 2), with a classifier of the user where there is one."""
    listed = read_words(config.unsafe_words)
    found = [Stage("quality", each(partial(quality, config=config))), Stage("machine-made", each(machine_made))]
    if safe is not None:
        found.append(Stage("safety", each(partial(classified, safe=safe))))
    found.append(Stage("similar", lambda records: similar(list(records), config)))
    found.append(Stage("caption", each(lambda own: Decision() if own.caption else Decision("missing", drop=True))))
    if listed:
        found.append(Stage("words", each(partial(unsafe_words, listed=listed))))
    found.append(Stage("privacy", each(partial(privacy, redact=config.redact))))
    return found


def filter_folder(
    config: FilterConfig, safe: Safe | None = None, write: Callable[[str, bytes], None] | None = None
) -> dict[str, int]:
    """Run all stages over a folder; what is kept is written again, without metadata.

    Args:
        config: folder and limits.
        safe: a classifier of pictures with captions.
        write: takes the name and content of a file: pictures, captions and `manifest.jsonl`.

    Returns:
        How many records are kept, and how many have each reason.

    Raises:
        UsageError: no pictures, or a text that cannot be read.
    """
    records = run_stages(read_records(config.folder), stages(config, safe))
    if write is not None:
        for name, record in zip(kept_names(records), records, strict=True):
            if name is not None and record.pixels is not None:
                write(f"{name}.png", picture_png(record.pixels))
                write(f"{name}.txt", f"{record.caption}\n".encode())
        write("manifest.jsonl", manifest(records).encode())
    return summary(records)
