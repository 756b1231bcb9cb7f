"""The slow autoencoder: encoder, Schmitt-trigger quantiser, decoder; recordings to events and back."""

import hashlib
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float
from onepaper.errors import UsageError
from onepaper.jax.state_files import load_pretrained, model_arrays, save_pretrained

from slowae_rlt.config import ModelConfig
from slowae_rlt.events.event_list import Events, check_model
from slowae_rlt.events.schmitt_trigger import quantize
from slowae_rlt.models.decoders import decode_codes, make_decoder
from slowae_rlt.models.encoder import Encoder, encode_windows


class SlowAE(nnx.Module):
    """A slow autoencoder.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        self.encoder = Encoder(config, rngs)
        self.decoder = make_decoder(config, rngs)

    def latents(self, samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "T C"]:
        """Latents of a recording, before quantisation; around it there is silence.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        return encode_windows(self.encoder, samples, self.config.encoder.stride)

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

    def decode(self, events: Events, *, seed: int = 0) -> Float[np.ndarray, " samples"]:
        """Sound of events, as float32 at the sample rate of the model.

        Args:
            events: of this model.
            seed: of the initial phases, or of the samples that are drawn.

        Raises:
            UsageError: events of another model, or predictions that are not finite.
        """
        check_model(events, self.digest())
        codes = events.raster().astype(np.float32) / self.config.quantizer.levels
        return decode_codes(self.decoder, self.config, codes, seed=seed)[: events.samples]

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
