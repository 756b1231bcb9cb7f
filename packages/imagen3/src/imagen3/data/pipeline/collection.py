"""A folder of pictures with captions through all stages, into a folder that `train` reads."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from onepaper.display.file_bytes import picture_png
from onepaper.errors import UsageError
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.progress import track

from imagen3.config import FilterConfig
from imagen3.data.captions import read_caption, read_synthetic
from imagen3.data.pipeline.pictures import machine_made, quality
from imagen3.data.pipeline.records import Decision, Record, Stage, each, kept_names, manifest, run_stages, summary
from imagen3.data.pipeline.similar import group_weights, similar_groups, traits
from imagen3.data.pipeline.texts import Safe, classified, privacy, unsafe_words, words_of
from imagen3.data.tables import read_text

HEADER = 65_536

# Pictures that a task of Ray reads, of which one is in memory at a time.
PART = 64

Examine = Callable[[Sequence[Path]], "list[Record] | str"]


def read_record(file: Path) -> Record:
    """A picture with the text in NAME.txt beside it, if there is one.

    Raises:
        UsageError: a caption that is no text.
    """
    try:
        pixels = read_image(file)
    except UsageError:
        pixels = None
    with file.open("rb") as opened:
        header = opened.read(HEADER)
    return Record(file, read_caption(file), pixels, header)


def examined(files: Sequence[Path], config: FilterConfig, safe: Safe | None = None) -> list[Record] | str:
    """Records with the decisions on each picture alone, and without pixels; or the error of one that cannot be read."""
    found = []
    for file in files:
        try:
            (record,) = run_stages([read_record(file)], picture_stages(config, safe))
        except UsageError as error:
            return str(error)
        own = None if record.pixels is None or record.dropped else traits(record.pixels)
        found.append(replace(record, pixels=None, header=b"", traits=own))
    return found


def read_words(file: Path | None) -> frozenset[str]:
    """The words of a list, one or several on a line; `#` begins a comment.

    Raises:
        UsageError: as of `read_text`.
    """
    lines = read_text(file).splitlines() if file is not None else ()
    return frozenset(filter(None, (" ".join(words_of(line.partition("#")[0])) for line in lines)))


def similar(records: Sequence[Record], config: FilterConfig) -> list[Decision]:
    """Of each group of similar pictures keep the largest, or lower the weights of all."""
    if not records:
        return []
    pixels, hashes, layouts = zip(*(own.traits for own in records), strict=True)  # pyright: ignore
    groups = similar_groups(np.stack(hashes), np.stack(layouts), config.hash_bits, config.layout_tolerance)
    if config.similar == "weigh":
        weights = group_weights(groups, config.similar_exponent)
        sizes = np.bincount(groups)
        return [
            Decision("weighed" if sizes[group] > 1 else "", weight=float(weight))
            for group, weight in zip(groups, weights, strict=True)
        ]
    order = np.lexsort((np.arange(len(records)), -np.array(pixels)))
    kept = set(order[np.unique(groups[order], return_index=True)[1]].tolist())
    return [Decision() if number in kept else Decision("duplicate", drop=True) for number in range(len(records))]


def picture_stages(config: FilterConfig, safe: Safe | None = None) -> list[Stage]:
    """The first stages in the order of the report (paper, section 2), with a classifier of the user if there is one."""
    found = [Stage("quality", each(partial(quality, config=config))), Stage("machine-made", each(machine_made))]
    return [*found, Stage("safety", each(partial(classified, safe=safe)))] if safe else found


def later_stages(config: FilterConfig) -> list[Stage]:
    """Those that compare pictures or read captions.

    Raises:
        UsageError: the list of words cannot be read.
    """
    listed = read_words(config.unsafe_words)
    found = [
        Stage("similar", partial(similar, config=config)),
        Stage("caption", each(lambda own: Decision() if own.caption else Decision("missing", drop=True))),
    ]
    if listed:
        found.append(Stage("words", each(partial(unsafe_words, listed=listed))))
    return [*found, Stage("privacy", each(partial(privacy, redact=config.redact)))]


def with_synthetic(record: Record, stages: Sequence[Stage]) -> Record:
    """A record with those of its synthetic captions that pass the stages of captions, and the reasons of the others."""
    found = run_stages([replace(record, caption=text, reasons=()) for text in read_synthetic(record.file)], stages)
    reasons = dict.fromkeys(f"synthetic {reason}" for own in found for reason in own.reasons)
    kept = tuple(own.caption for own in found if not own.dropped)
    return replace(record, synthetic=kept, reasons=(*record.reasons, *reasons))


def filter_folder(
    config: FilterConfig,
    safe: Safe | None = None,
    write: Callable[[str, bytes], None] | None = None,
    *,
    engine: Literal["local", "ray"] = "local",
) -> dict[str, int]:
    """Run all stages over a folder; what is kept is written again, without metadata.

    Args:
        config: folder and limits.
        safe: a classifier of pictures with captions.
        write: takes the name and content of a file: pictures, captions and `manifest.jsonl`.
        engine: where pictures are read and looked at: this process, or tasks of Ray Data on the cluster of RAY_ADDRESS,
            whose machines all need the folder. The result is the same.

    Returns:
        How many records are kept, and how many have each reason.

    Raises:
        UsageError: no pictures, a text that cannot be read, or Ray is not installed.
    """
    later, files = later_stages(config), image_files(config.folder)
    # Tasks of Ray have another working folder.
    places = [file.absolute() for file in files]
    parts = [places[begin : begin + PART] for begin in range(0, len(files), PART)]
    work = partial(examined, config=config, safe=safe)
    records: list[Record] = []
    for found in track(_by_ray(parts, work) if engine == "ray" else map(work, parts), "reading pictures", len(parts)):
        if isinstance(found, str):
            raise UsageError(found)
        records += found
    records = run_stages([replace(own, file=file) for own, file in zip(records, files, strict=True)], later)
    records = [own if own.dropped else with_synthetic(own, later[1:]) for own in records]
    if write is not None:
        for name, record in zip(kept_names(records), records, strict=True):
            if name is not None:
                write(f"{name}.png", picture_png(read_image(record.file)))
                write(f"{name}.txt", f"{record.caption}\n".encode())
                if record.synthetic:
                    write(f"{name}.synthetic.txt", "".join(f"{text}\n" for text in record.synthetic).encode())
        write("manifest.jsonl", manifest(records).encode())
    return summary(records)


def _by_ray(parts: Sequence[Sequence[Path]], work: Examine) -> Iterator[list[Record] | str]:
    """What is found of each part, in order; Ray repeats the part of a lost worker."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("ray is not installed; pip install 'onepaper-imagen3[ray]'") from None
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.execution_options.preserve_order = False, True

    def examine(row: dict[str, Any]) -> dict[str, bytes]:
        return {"found": pickle.dumps(work(parts[row["number"]]))}

    rows = ray.data.from_items([{"number": number} for number in range(len(parts))], override_num_blocks=len(parts))
    yield from (pickle.loads(row["found"]) for row in rows.map(examine).iter_rows())
