"""Log-mel spectrograms beside torchaudio, nnAudio and librosa.

    python bench_front_end.py [--rounds 9] [--threads 1] [--output FILE]

All compute 80 HTK bands of the power spectrum of 8 clips of 10 s at 16 kHz (400 samples a window, 512 points, 160 a
hop) and the logarithm. They take turns in one process, so that the load of the machine meets all alike. A peer that is
not installed is left out. Numbers are ratios of times, theirs over ours: above 1 ours is faster.
"""

import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from onepaper.benchmark import option_parser, write_result

from hares.config import FrontEndConfig
from hares.spectrograms.log_mel import log_of_power, mel_power

CLIPS, SECONDS = 8, 10.0
CONFIG = FrontEndConfig()
Front = Callable[[torch.Tensor], torch.Tensor]


def of_torchaudio() -> Front:
    """The transform of torchaudio with our windows."""
    import torchaudio

    made = torchaudio.transforms.MelSpectrogram(
        CONFIG.rate, n_fft=CONFIG.fft, win_length=CONFIG.window, hop_length=CONFIG.hop, f_min=CONFIG.low,
        f_max=CONFIG.high, n_mels=CONFIG.mels, power=2.0, center=False, norm=None, mel_scale="htk",
    )  # fmt: skip
    return lambda samples: (made(samples) + CONFIG.offset).log()


def of_nnaudio() -> Front:
    """The transform of nnAudio, which is a convolution."""
    from nnAudio.features.mel import MelSpectrogram

    made = MelSpectrogram(
        sr=CONFIG.rate, n_fft=CONFIG.fft, win_length=CONFIG.window, hop_length=CONFIG.hop, n_mels=CONFIG.mels,
        fmin=CONFIG.low, fmax=CONFIG.high, htk=True, norm=None, power=2.0, center=False, verbose=False,
    )  # fmt: skip
    return lambda samples: (made(samples) + CONFIG.offset).log()


def of_librosa() -> Front:
    """The function of librosa."""
    import librosa

    def made(samples: torch.Tensor) -> torch.Tensor:
        power = librosa.feature.melspectrogram(
            y=samples.numpy(), sr=CONFIG.rate, n_fft=CONFIG.fft, win_length=CONFIG.window, hop_length=CONFIG.hop,
            n_mels=CONFIG.mels, fmin=CONFIG.low, fmax=CONFIG.high, htk=True, norm=None, power=2.0, center=False,
        )  # fmt: skip
        return torch.from_numpy(np.log(power + CONFIG.offset))

    return made


def ours(samples: torch.Tensor) -> torch.Tensor:
    """Ours, without the standardisation, which the others do not have."""
    return log_of_power(mel_power(samples, CONFIG), CONFIG)


def main() -> None:
    """Measure the peers that are installed, and print medians."""
    given = option_parser(__doc__, rounds=9).parse_args()
    torch.set_num_threads(given.threads)
    samples = 0.1 * torch.randn(CLIPS, round(SECONDS * CONFIG.rate), generator=torch.Generator().manual_seed(0))
    fronts: dict[str, Front] = {"ours": ours}
    for name, build in (("torchaudio", of_torchaudio), ("nnAudio", of_nnaudio), ("librosa", of_librosa)):
        try:
            fronts[name] = build()
        except (ImportError, OSError) as error:
            print(f"left out: {name} ({error})")
    times: dict[str, list[float]] = {name: [] for name in fronts}
    with torch.inference_mode():
        for index in range(given.rounds + 1):
            for name, front in fronts.items():
                begun = time.perf_counter()
                front(samples)
                if index:  # the first round warms up
                    times[name].append(time.perf_counter() - begun)
    ratios = {
        name: statistics.median(theirs / own for theirs, own in zip(each, times["ours"], strict=True))
        for name, each in times.items()
        if name != "ours"
    }
    rate = CLIPS * SECONDS / statistics.median(times["ours"])
    print(json.dumps({"seconds of audio a second": round(rate), "theirs over ours": ratios}, indent=1))
    result = {"threads": given.threads, "seconds of audio a second": rate, "theirs over ours": ratios, "times": times}
    write_result(given.output, result, ("torch", "torchaudio", "nnaudio", "librosa", "numpy"))


if __name__ == "__main__":
    main()
