"""Embedding of clips by our networks and by peers with weights in their wheels, in clips of one second a second.

    python bench_embedding.py [--rounds 5] [--threads 1] [--output FILE]

Networks take turns in one process; a peer that is not installed is left out. Decoding and resampling are measured
beside them, on files of 44.1 kHz that are read at 16 kHz: their share of the time shows whether they are the
bottleneck.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from onepaper.audio import read_audio, write_wav
from onepaper.benchmark import option_parser, write_result
from onepaper.errors import UsageError

from hares.hear import open_embedding
from hares.models.encoder import Encoder
from hares.presets import ENCODERS

CLIPS = 16
Embed = Callable[[torch.Tensor], object]


def of_torchcrepe() -> Embed:
    """The activations of the pitch network of torchcrepe (Kim et al., 2018), every 10 ms."""
    import torchcrepe

    return lambda samples: [torchcrepe.embed(clip[None], 16_000, batch_size=CLIPS) for clip in samples]


def of_resemblyzer() -> Embed:
    """The speaker encoder of Resemblyzer (Wan et al., 2018), a clip at a time."""
    from resemblyzer import VoiceEncoder

    encoder = VoiceEncoder("cpu", verbose=False)
    return lambda samples: [encoder.embed_utterance(clip.numpy()) for clip in samples]


def main() -> None:
    """Measure all, and print clips a second."""
    given = option_parser(__doc__, rounds=5).parse_args()
    torch.set_num_threads(given.threads)
    samples = 0.1 * torch.randn(CLIPS, 16_000, generator=torch.Generator().manual_seed(0))
    calls: dict[str, Callable[[], object]] = {}
    opened: dict[str, Callable[[], Embed]] = {
        name: partial(open_embedding, name) for name in ("statistics", "simclr", "silero-vad")
    }
    for name, build in (opened | {"torchcrepe": of_torchcrepe, "Resemblyzer": of_resemblyzer}).items():
        try:
            calls[name] = partial(build(), samples)
        except (UsageError, ImportError, OSError) as error:
            print(f"left out: {name} ({error})")
    torch.manual_seed(0)
    for name in ("byola-cnn", "slowfast-resnet50", "slowfast-nfnet-f0"):
        calls[name] = partial(Encoder(ENCODERS[name]).eval(), samples)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        paths = [
            write_wav(Path(folder) / f"{index}.wav", np.random.default_rng(index).normal(0, 0.1, 44_100), 44_100)
            for index in range(CLIPS)
        ]
        calls["decode and resample"] = lambda: [read_audio(path, rate=16_000) for path in paths]
        times: dict[str, list[float]] = {name: [] for name in calls}
        for index in range(given.rounds + 1):
            for name, call in calls.items():
                begun = time.perf_counter()
                call()
                if index:  # the first round warms up
                    times[name].append(time.perf_counter() - begun)
    rates = {name: CLIPS / statistics.median(each) for name, each in times.items()}
    print(json.dumps({name: round(rate, 1) for name, rate in rates.items()}, indent=1))
    result = {"threads": given.threads, "clips a second": rates, "times": times}
    write_result(given.output, result, ("torch", "silero-vad", "torchcrepe", "resemblyzer", "numpy", "soxr"))


if __name__ == "__main__":
    main()
