"""Extracts features of COUNT clips of 10 s in the FOLDER and prints the peak of memory: KIND COUNT FOLDER."""

import sys
from pathlib import Path

import numpy as np
from onepaper.audio import write_wav
from onepaper.benchmark import peak_bytes, reset_peak

from audio_datasets.config import FeatureConfig
from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.exports.shards import write_shards
from audio_datasets.extraction.extract import extract_features
from audio_datasets.extraction.job import Extraction
from audio_datasets.extraction.parts import parts_of_clips, parts_of_shards

RATE = 16_000


def main() -> None:
    """Extract and print."""
    kind, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir()
    path = write_wav(folder / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(10 * RATE), RATE)
    clips = ClipSet("x", tuple(Clip(f"{number}", path) for number in range(count)))
    if kind == "shards":
        write_shards(folder / "shards", clips, shard_bytes=4 * path.stat().st_size)
    extract_features(parts_of_clips(ClipSet("x", clips.clips[:2])), folder / "warm", Extraction())
    reset_peak()
    source = parts_of_clips(clips, 4) if kind == "clips" else parts_of_shards(folder / "shards")
    extract_features(source, folder / "out", Extraction(features=FeatureConfig()))
    print(peak_bytes())


if __name__ == "__main__":
    main()
