"""Reading files and computing our functionals, beside audinterface and lhotse.

    python bench_extraction.py [--rounds 5] [--output FILE]

The clips are 100 of the default set: Ogg Vorbis of 44.1 and 48 kHz, mono and stereo, resampled to 16 kHz. audinterface
and lhotse read, mix and resample them in their own way and call our function. All take turns in one process, on one
thread (OMP_NUM_THREADS=1); times are those of the processor, which other programs of the machine affect less.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from onepaper.benchmark import median_ratio, option_parser, write_result

from audio_datasets import FeatureConfig, clip_features, feature_names, load
from audio_datasets.data.clips import Clip

CLIPS = 100
CONFIG = FeatureConfig()
Program = Callable[[Sequence[Clip]], object]


def ours(clips: Sequence[Clip]) -> object:
    """As `features` and `evaluate` do."""
    return [clip_features(clip.read(CONFIG.rate), CONFIG) for clip in clips]


def only_read(clips: Sequence[Clip]) -> object:
    """Our reading without features."""
    return [clip.read(CONFIG.rate) for clip in clips]


def of_audinterface() -> Program:
    """Its table of features, one row a file."""
    import audinterface

    names = [f"f{number}" for number in range(len(feature_names(CONFIG)))]
    interface = audinterface.Feature(
        names,
        process_func=lambda samples, rate: clip_features(samples[0], CONFIG),
        sampling_rate=CONFIG.rate,
        resample=True,
        channels=[0],
        mixdown=True,
    )
    return lambda clips: interface.process_files([str(clip.path) for clip in clips])


def of_lhotse() -> Program:
    """Its cuts, resampled and mixed as they are loaded."""
    import lhotse

    def program(clips: Sequence[Clip]) -> object:
        rows = []
        for clip in clips:
            cut = lhotse.Recording.from_file(clip.path).resample(CONFIG.rate).to_cut()
            rows.append(clip_features(cut.load_audio().mean(axis=0, dtype=np.float32), CONFIG))
        return rows

    return program


def main() -> None:
    """Measure the peers that are installed, and print medians."""
    given = option_parser(__doc__, rounds=5).parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(given.threads))
    clips = load("hedgewars-voices").clips[:CLIPS]
    seconds = sum(len(clip.read(CONFIG.rate)) for clip in clips) / CONFIG.rate
    programs: dict[str, Program] = {"ours": ours, "ours, only reading": only_read}
    for name, build in (("audinterface", of_audinterface), ("lhotse", of_lhotse)):
        try:
            programs[name] = build()
        except ImportError as error:
            print(f"left out: {name} ({error})")
    times: dict[str, list[float]] = {name: [] for name in programs}
    for index in range(given.rounds + 1):
        for name, program in programs.items():
            begun = time.process_time()
            program(clips)
            if index:  # the first round warms up
                times[name].append(time.process_time() - begun)
    features = [a - b for a, b in zip(times["ours"], times["ours, only reading"], strict=True)]
    result = {
        "clips": len(clips),
        "seconds of audio": seconds,
        "clips a second": {name: len(clips) / statistics.median(each) for name, each in times.items()},
        "theirs over ours": {name: median_ratio(times[name], times["ours"]) for name in list(programs)[2:]},
        "times real time, features only": seconds / statistics.median(features),
    }
    print(json.dumps(result, indent=1))
    write_result(given.output, result | {"times": times}, ("numpy", "audinterface", "lhotse", "soundfile"))


if __name__ == "__main__":
    main()
