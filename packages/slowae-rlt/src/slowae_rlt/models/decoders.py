"""Decoders by kind, and sound of codes: recordings in windows of one shape, one after the other."""

import functools
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float
from onepaper.errors import UsageError

from slowae_rlt.config import ModelConfig
from slowae_rlt.data.mel import griffin_lim
from slowae_rlt.models.mel_decoder import MelDecoder
from slowae_rlt.models.waveform_decoder import WaveformDecoder, sample_waveform

Decoder = MelDecoder | WaveformDecoder

# Grid steps that are decoded at once.
WINDOW_STEPS = 512


def make_decoder(config: ModelConfig, rngs: nnx.Rngs) -> Decoder:
    """The decoder of the configured kind."""
    return WaveformDecoder(config, rngs) if config.decoder.kind == "waveform" else MelDecoder(config, rngs)


@functools.partial(jax.jit, static_argnums=0)
def _decode_window(graph: Any, state: Any, codes: Float[Array, "1 T C"]) -> Float[Array, "1 frames bands"]:
    return nnx.merge(graph, state)(codes)


def predict_spectrogram(decoder: MelDecoder, codes: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "frames bands"]:
    """The log-mel spectrogram of codes on the grid; beyond the ends the first and the last codes go on."""
    context, frame = decoder.context, decoder.frame_steps
    frames = -(-len(codes) // frame)
    windows = -(-frames * frame // WINDOW_STEPS)
    after = windows * WINDOW_STEPS - len(codes) + context
    padded = np.pad(codes, ((context, after), (0, 0)), mode="edge").astype(np.float32)
    graph, state = nnx.split(decoder)
    found = [
        np.asarray(_decode_window(graph, state, padded[None, start : start + WINDOW_STEPS + 2 * context]))[0]
        for start in range(0, windows * WINDOW_STEPS, WINDOW_STEPS)
    ]
    return np.concatenate(found)[:frames]


def decode_codes(
    decoder: Decoder, config: ModelConfig, codes: Float[np.ndarray, "T C"], *, seed: int = 0
) -> Float[np.ndarray, " samples"]:
    """Sound of codes on the grid, at least T times the samples of a grid step, as float32.

    Args:
        decoder: of the model.
        config: of the model.
        codes: what the decoder reads.
        seed: of the initial phases, or of the samples that are drawn.

    Raises:
        UsageError: predictions that are not finite.
    """
    if isinstance(decoder, WaveformDecoder):
        return sample_waveform(decoder, codes, seed=seed)
    spectrogram = predict_spectrogram(decoder, codes)
    if not np.isfinite(spectrogram).all():
        raise UsageError("the decoder's spectrogram is not finite; use weights of another training")
    return griffin_lim(spectrogram, config.decoder.mel, config.sample_rate, seed=seed)
