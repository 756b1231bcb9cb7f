"""Bits and sounds of codecs, their delays, and the table."""

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from slowae_rlt.codec_comparison import Coded, align, compare_codecs, events_codec, open_peer, vq_codec
from slowae_rlt.data.prompts import Prompt, clips
from slowae_rlt.events.container import to_bytes
from slowae_rlt.models.band_energies import BandEnergies
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.presets import PRESETS


def test_delays_are_found(speech: np.ndarray) -> None:
    for delay in (0, 37, 400):
        later = np.concatenate([np.zeros(delay, np.float32), speech])
        np.testing.assert_array_equal(align(later, speech), speech)
    assert align(speech[:-50], speech).shape == speech.shape


def test_bits(speech: np.ndarray) -> None:
    codec = BandEnergies()
    coded = events_codec(codec)(speech)
    assert coded.bits == 8 * len(to_bytes(codec.encode(speech)))
    assert coded.sound.shape == speech.shape
    model = VQAutoencoder(PRESETS["smoke-vq"].config.model, nnx.Rngs(0))
    coded = vq_codec(model)(speech)
    assert coded.bits == 5 * -(-len(speech) // 128)
    assert coded.sound.shape == speech.shape


@pytest.mark.parametrize(
    ("name", "module", "bits"),
    [("codec2-1200", "pycodec2", 1200), ("codec2-700", "pycodec2", 700), ("opus-6000", "av", 6000)],
)
def test_peers(name: str, module: str, bits: int) -> None:
    """Rates are those of their names; decoded speech has the energies of the recording."""
    pytest.importorskip(module)
    samples = clips()[0].samples
    coded = open_peer(name)(samples)
    assert coded.bits / (len(samples) / 8000) == pytest.approx(bits, rel=0.25)
    sound = align(coded.sound, samples)
    assert sound.shape == samples.shape
    energies = [np.square(side[: len(side) // 80 * 80]).reshape(-1, 80).sum(axis=1) for side in (sound, samples)]
    assert np.corrcoef(np.sqrt(energies))[0, 1] > 0.8


def test_table(speech: np.ndarray) -> None:
    prompts = [Prompt(str(number), part, np.ones(0, bool)) for number, part in enumerate((speech, speech[:4000]))]
    table = compare_codecs(
        {"same": lambda samples: Coded(samples, 100.0), "half": lambda samples: Coded(samples / 2, 50.0)}, prompts
    )
    seconds = sum(len(prompt.samples) for prompt in prompts) / 8000
    assert table["same"] == {"bits a second": pytest.approx(200 / seconds), "log-mel distance (dB)": 0.0}
    assert 4 < table["half"]["log-mel distance (dB)"] < 6.03


def test_refused(speech: np.ndarray) -> None:
    with pytest.raises(UsageError, match="unknown codec 'mp3'"):
        open_peer("mp3")
    with pytest.raises(UsageError, match="no recordings"):
        compare_codecs({}, [])
    with pytest.raises(UsageError, match="unknown metric 'mos'"):
        compare_codecs({}, [Prompt("", speech, np.ones(0, bool))], ["mos"])
