r"""8-bit mu-law codes of audio samples: what the autoregressive decoder models.

The table equals the sample values of the audio that the authors published, code by code.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from onepaper.errors import UsageError

MU = 255
CODES = 256


def encode_mu_law(samples: Float[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
    r"""$y = \lfloor 128\, \mathrm{sign}(x) \ln(1 + 255 |x|) / \ln 256 \rfloor$ of samples x in [-1, 1], as int32.

    Values beyond [-1, 1] are clipped; codes are -128 to 127.

    Raises:
        UsageError: a sample is not finite.
    """
    if not np.isfinite(samples).all():
        raise UsageError(f"sample {int(np.argmin(np.isfinite(samples).ravel()))} is not finite; repair the recording")
    clipped = np.clip(np.asarray(samples, np.float64), -1.0, 1.0)
    scaled = 128.0 * np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    return np.minimum(np.floor(scaled), 127).astype(np.int32)


def _table() -> Float[np.ndarray, " 256"]:
    u = (np.arange(-128, 128) + 0.5) / 128.0
    values = np.sign(u) * (np.power(1.0 + MU, np.abs(u)) - 1.0) / MU
    values[128] = 0.0  # code 0 alone decodes to its lower edge
    return values


TABLE = _table()


def decode_mu_law(codes: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    r"""$x = \mathrm{sign}(u)\,(256^{|u|} - 1) / 255$ with $u = (y + 1/2) / 128$, and 0 for y = 0, in float64.

    Raises:
        UsageError: a code is not -128 to 127.
    """
    codes = np.asarray(codes)
    if codes.size and not (codes.min() >= -128 and codes.max() <= 127):
        raise UsageError(f"mu-law codes are {codes.min()} to {codes.max()}, expected -128 to 127")
    return TABLE[codes.astype(np.int64) + 128]


# Lower edges of the codes -127 to 127, where the formula of `encode_mu_law` changes.
_EDGES = np.sign(np.arange(-127, 128)) * (np.power(1.0 + MU, np.abs(np.arange(-127, 128)) / 128.0) - 1.0) / MU


def mu_law_symbols(samples: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Codes + 128, 0 to 255, of samples in JAX: the number of lower edges of codes that are not above a sample."""
    return jnp.searchsorted(jnp.asarray(_EDGES, jnp.float32), samples, side="right").astype(jnp.int32)
