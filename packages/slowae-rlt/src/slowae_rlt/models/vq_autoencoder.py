"""A VQ-VAE of the same networks: one code of a codebook at a fixed rate, the baseline of the slow autoencoder."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.errors import UsageError
from onepaper.jax.state_files import load_pretrained, save_pretrained

from slowae_rlt.config import VectorQuantizedConfig
from slowae_rlt.models.codebook import Codebook, nearest_codes
from slowae_rlt.models.convolutions import Convolution
from slowae_rlt.models.decoders import decode_codes, make_decoder
from slowae_rlt.models.encoder import Encoder, encode_windows


class StridedEncoder(nnx.Module):
    """The slow autoencoder's encoder with D outputs, and convolutions of stride 2 after it."""

    def __init__(self, config: VectorQuantizedConfig, rngs: nnx.Rngs) -> None:
        self.stride, dim = config.encoder.stride, config.codebook.dim
        self.encoder = Encoder(config.networks, rngs)
        self.strided = nnx.List([Convolution(dim, dim, 4, rngs, stride=2) for _ in range(config.codebook.stages)])

    def context(self) -> tuple[int, int]:
        """Samples that the first vector needs before its own, and the last one after its own."""
        length = 1
        for layer in reversed(self.strided):
            length = layer.input_length(length)
        own = 2 ** len(self.strided)
        before, after = self.encoder.context()
        first = (length - own) // 2
        return before + first * self.stride, after + (length - own - first) * self.stride

    def __call__(self, samples: Float[Array, "batch samples"]) -> Float[Array, "batch codes D"]:
        """Vectors before quantisation, of all codes whose context is there."""
        x = self.encoder(samples)
        for layer in self.strided:
            x = layer(jax.nn.gelu(x))
        return x


class VQAutoencoder(nnx.Module):
    """A VQ-VAE.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: VectorQuantizedConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        self.encoder = StridedEncoder(config, rngs)
        self.codebook = Codebook(config.codebook)
        self.decoder = make_decoder(config.networks, rngs)

    def on_grid(self, vectors: Float[Array, "*batch codes D"]) -> Float[Array, "*batch T D"]:
        """Each vector at all grid steps of its code."""
        return jnp.repeat(vectors, self.config.steps_per_code, axis=-2)

    def encode(self, samples: Float[np.ndarray, " samples"]) -> Int[np.ndarray, " codes"]:
        """Codes of a recording at the sample rate of the model.

        Raises:
            UsageError: samples that are no mono recording, see `check_samples`.
        """
        found = encode_windows(self.encoder, samples, self.config.samples_per_code)
        return np.asarray(nearest_codes(jnp.asarray(found), self.codebook.statistics.vectors()))

    def decode(self, codes: Int[np.ndarray, " codes"], *, seed: int = 0) -> Float[np.ndarray, " samples"]:
        """Sound of codes, as float32 at the sample rate of the model.

        Raises:
            UsageError: codes that are not in the codebook, or predictions that are not finite.
        """
        count = self.config.codebook.codes
        if codes.ndim != 1 or not len(codes) or codes.min() < 0 or codes.max() >= count:
            raise UsageError(f"codes are no list of numbers of 0 to {count - 1}; decode those that `encode` gives")
        vectors = self.on_grid(self.codebook.statistics.vectors()[jnp.asarray(codes)])
        sound = decode_codes(self.decoder, self.config.networks, np.asarray(vectors), seed=seed)
        return sound[: len(codes) * self.config.samples_per_code]

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "VQAutoencoder":
        """The model that `save_pretrained` wrote.

        Raises:
            OnePaperError: a file is missing or damaged.
            UsageError: weights that are not finite.
        """
        model = load_pretrained(Path(folder), VectorQuantizedConfig, cls)[0]
        if not all(bool(jnp.isfinite(part).all()) for part in model.codebook.statistics):
            raise UsageError(f"{folder}: the codebook is not finite; use weights of another training")
        return model
