"""The slow autoencoder: encoder, Schmitt-trigger quantiser, decoder; recordings to events and back."""

import functools
import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.errors import UsageError
from onepaper.jax.state_files import load_pretrained, model_arrays, save_pretrained

from slowae_rlt.config import ModelConfig
from slowae_rlt.data.mel import griffin_lim
from slowae_rlt.data.recordings import check_samples
from slowae_rlt.events.event_list import Events, check_model
from slowae_rlt.events.schmitt_trigger import quantize
from slowae_rlt.models.encoder import Encoder
from slowae_rlt.models.mel_decoder import MelDecoder

# Grid steps that are encoded or decoded at once. Every recording is computed in windows of this one shape, one after
# the other, so that its levels do not depend on what else is encoded, nor on where it is cut.
WINDOW_STEPS = 512


class SlowAE(nnx.Module):
    """A slow autoencoder.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        self.encoder = Encoder(config, rngs)
        self.decoder = MelDecoder(config, rngs)

    def latents(self, samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "T C"]:
        """Latents of a recording, before quantisation; around it there is silence.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        check_samples(samples)
        stride = self.config.encoder.stride
        steps = -(-len(samples) // stride)
        before, after = self.encoder.context()
        windows = -(-steps // WINDOW_STEPS)
        padded = np.zeros(before + windows * WINDOW_STEPS * stride + after, np.float32)
        padded[before : before + len(samples)] = samples
        size = before + WINDOW_STEPS * stride + after
        graph, state = nnx.split(self.encoder)
        found = [
            np.asarray(_encode_window(graph, state, padded[None, start : start + size]))[0]
            for start in range(0, windows * WINDOW_STEPS * stride, WINDOW_STEPS * stride)
        ]
        return np.concatenate(found)[:steps]

    def encode(self, samples: Float[np.ndarray, " samples"]) -> Events:
        """Events of a recording at the sample rate of the model.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        quantizer = self.config.quantizer
        levels = quantize(self.latents(samples), quantizer.levels, quantizer.margin).levels
        return Events.from_raster(
            levels,
            highest=quantizer.levels,
            max_length=self.config.max_length,
            stride=self.config.encoder.stride,
            sample_rate=self.config.sample_rate,
            samples=len(samples),
            model=self.digest(),
        )

    def spectrogram(self, levels: Int[np.ndarray, "T C"]) -> Float[np.ndarray, "frames bands"]:
        """The decoder's log-mel spectrogram; beyond the ends the first and the last levels go on."""
        context, frame = self.decoder.context, self.config.decoder.frame_steps
        frames = -(-len(levels) // frame)
        windows = -(-frames * frame // WINDOW_STEPS)
        after = windows * WINDOW_STEPS - len(levels) + context
        padded = (
            np.pad(levels, ((context, after), (0, 0)), mode="edge").astype(np.float32) / self.config.quantizer.levels
        )
        graph, state = nnx.split(self.decoder)
        found = [
            np.asarray(_decode_window(graph, state, padded[None, start : start + WINDOW_STEPS + 2 * context]))[0]
            for start in range(0, windows * WINDOW_STEPS, WINDOW_STEPS)
        ]
        return np.concatenate(found)[:frames]

    def decode(self, events: Events, *, seed: int = 0) -> Float[np.ndarray, " samples"]:
        """Sound of events, as float32 at the sample rate of the model.

        Args:
            events: of this model.
            seed: of the initial phases.

        Raises:
            UsageError: events of another model, or a spectrogram that is not finite.
        """
        check_model(events, self.digest())
        spectrogram = self.spectrogram(events.raster())
        if not np.isfinite(spectrogram).all():
            raise UsageError("the decoder's spectrogram is not finite; use weights of another training")
        return griffin_lim(spectrogram, self.config.decoder.mel, self.config.sample_rate, seed=seed)[: events.samples]

    def digest(self) -> bytes:
        """Eight bytes that identify the weights."""
        found = hashlib.sha256()
        for name, array in sorted(model_arrays(self).items()):
            found.update(name.encode())
            found.update(np.ascontiguousarray(np.asarray(array, np.float32)).tobytes())
        return found.digest()[:8]

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "SlowAE":
        """The model that `save_pretrained` wrote.

        Raises:
            OnePaperError: a file is missing or damaged.
            UsageError: weights that are not finite.
        """
        model = load_pretrained(Path(folder), ModelConfig, cls)[0]
        for name, array in model_arrays(model).items():
            if not bool(jnp.isfinite(array).all()):
                raise UsageError(f"{folder}: {name} is not finite; use weights of another training")
        return model


@functools.partial(jax.jit, static_argnums=0)
def _encode_window(graph: Any, state: Any, samples: Float[Array, "1 samples"]) -> Float[Array, "1 T C"]:
    return nnx.merge(graph, state)(samples)


@functools.partial(jax.jit, static_argnums=0)
def _decode_window(graph: Any, state: Any, levels: Float[Array, "1 T C"]) -> Float[Array, "1 frames bands"]:
    return nnx.merge(graph, state)(levels)
