"""The verb `watermark`: stamp the pictures of a folder, or look for a mark."""

from pathlib import Path

from onepaper.display.gallery import save_samples
from onepaper.errors import UsageError
from onepaper.images.folders import image_files
from onepaper.images.reading import read_image
from onepaper.paper import Invocation
from onepaper.progress import track

from imagen3.cli.options import WatermarkOptions
from imagen3.data.tables import table_text
from imagen3.responsibility.output import finish
from imagen3.responsibility.registration import detect
from imagen3.responsibility.watermark import (
    DECIDED,
    REGISTERED,
    Mark,
    check_size,
    least_matches,
    peak_ratio,
)

LARGEST_KEY = 1_000_000


def read_key(path: Path) -> bytes:
    """The key: the content of a file, so that no record of a run holds it.

    Raises:
        UsageError: no such file, an empty one, or more than a megabyte.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; write a secret of your choice into one")
    if not 0 < path.stat().st_size <= LARGEST_KEY:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected a key of 1 to {LARGEST_KEY:,}")
    return path.read_bytes()


def watermark_verb(call: Invocation) -> None:
    """Write marked pictures, or `detections.csv`, into the run folder."""
    options = call.options
    assert isinstance(options, WatermarkOptions)
    if options.dry_run:
        print(f"would {options.action} the watermark of {options.key} in the pictures of {options.pictures}")
        return
    key = read_key(options.key)
    files = image_files(options.pictures)
    if options.action == "embed":
        _embed(call, files, Mark(key, options.payload, options.psnr, options.kind == "learned"))
    else:
        _detect(call, files, options, key)


def _embed(call: Invocation, files: list[Path], mark: Mark) -> None:
    for file in files:  # the run folder is created only if all can be marked
        check_size(read_image(file))
    ratios = []
    with call.open_run() as run:
        for file in track(files, "marking"):
            pixels = read_image(file)
            (done,) = finish(pixels[None], mark=mark)
            assert done.png is not None
            name = file.relative_to(call.options.pictures).with_suffix(".png")
            (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
            save_samples(run.folder, {name.as_posix(): done.png})
            ratios.append(peak_ratio(pixels, done.pixels))
        print(f"{len(files):,} pictures marked, at least {min(ratios):.1f} dB; {run.folder}")


def _detect(call: Invocation, files: list[Path], options: WatermarkOptions, key: bytes) -> None:
    if options.kind == "classical":
        detector, tested = detect, DECIDED - REGISTERED
    else:
        from imagen3.responsibility.learned_mark import SIGNS, detect_learned  # only this one needs networks

        detector, tested = detect_learned, SIGNS
    rows, marked, rate = [], 0, options.rate
    print(f"marked: at least {least_matches(tested, rate)} of {tested} signs agree, or as few of those that are seen")
    for file in track(files, "detecting"):
        found, placement = detector(read_image(file), key)
        is_marked = found.p_value <= rate
        marked += is_marked
        rows.append(
            {
                "picture": file.relative_to(call.options.pictures).as_posix(),
                "marked": int(is_marked),
                "p": f"{found.p_value:.3g}",
                "matches": found.matches,
                "of": found.tested,
                "payload": found.payload if is_marked and found.payload is not None else "",
                **placement._asdict(),
            }
        )
    table = table_text(list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    with call.open_run() as run:
        save_samples(run.folder, {"detections.csv": table.encode()})
        for row in rows[:20]:
            print(
                f"{row['picture']}: {'marked' if row['marked'] else 'no mark'}, p {row['p']}, payload {row['payload']}"
            )
        print(
            f"{marked:,} of {len(files):,} marked at a false positive rate of {rate:g}; {run.folder / 'detections.csv'}"
        )
