"""The verb `features`: functionals of many clips, by several processes or a Ray cluster."""

import os
from pathlib import Path

from onepaper.paper import Invocation

from audio_datasets.cli.options import FeaturesOptions


def features_verb(call: Invocation) -> None:
    """The verb `features`: extracts, or continues an interrupted extraction."""
    options: FeaturesOptions = call.options
    name = options.shards.name if options.shards else options.dataset
    folder = options.output or Path("runs") / "audio-datasets" / f"features-{name}"
    if options.dry_run:
        print(f"would extract features of {name} into {folder}")
        return
    from audio_datasets.data.loaders import load
    from audio_datasets.extraction.extract import extract_features
    from audio_datasets.extraction.job import Extraction
    from audio_datasets.extraction.parts import parts_of_clips, parts_of_shards
    from audio_datasets.extraction.store import read_manifest_lines

    if options.shards:
        source = parts_of_shards(options.shards)
    else:
        source = parts_of_clips(load(options.dataset, options.root), options.part_clips)
    extraction = Extraction(options.bank, options.features, options.max_seconds, options.trim, options.unreadable)
    workers = options.workers or os.cpu_count() or 1
    now = extract_features(source, folder, extraction, engine=options.engine, workers=workers)
    _, finished = read_manifest_lines(folder)
    skipped = [error for part in finished for _, error in part.skipped]
    for error in skipped[:3]:
        print(f"skipped: {error}")
    rows = sum(part.clips for part in finished)
    print(f"{rows:,} clips, {len(skipped):,} skipped; {now:,} of {len(finished):,} parts now, in {folder}")
    print(f'read by audio_datasets.read_features("{folder}")')
