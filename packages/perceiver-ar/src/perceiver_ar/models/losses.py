"""Cross-entropy with z-loss and label smoothing, summed over the targets at the latents."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float, Int, PRNGKeyArray

from perceiver_ar.config import PAD
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import latent_indices


def token_nats(
    logits: Float[Array, "batch latents vocab"], targets: Int[Array, "batch latents"]
) -> tuple[Float[Array, "batch latents"], Float[Array, "batch latents"]]:
    r"""$\log Z - x_t$, the nats of each target, and $\log Z = \log \sum_v e^{x_v}$."""
    log_z = jax.nn.logsumexp(logits, axis=-1)
    return log_z - jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0], log_z


def smoothing_nats(
    logits: Float[Array, "batch latents vocab"],
    nats: Float[Array, "batch latents"],
    log_z: Float[Array, "batch latents"],
    smoothing: float,
) -> Float[Array, "batch latents"]:
    r"""Change of each target's nats when label smoothing gives the other V - 1 tokens the probability s.

    With $u = s / (V - 1)$ and $n_v = \log Z - x_v$: $-s\, n_t + u \sum_{v \neq t} n_v$, less the entropy of the label,
    so that a perfect prediction costs nothing (official code, losses.py).
    """
    size = logits.shape[-1]
    each = smoothing / (size - 1)
    others = size * log_z - logits.sum(axis=-1) - nats
    entropy = -(1 - smoothing) * math.log(1 - smoothing) - smoothing * math.log(each)
    return each * others - smoothing * nats - entropy


class Loss(NamedTuple):
    """Sums over the targets of a batch."""

    nats: Float[Array, ""]
    z_squared: Float[Array, ""]
    targets: Float[Array, ""]
    smoothing: Float[Array, ""] | float = 0.0
    """what label smoothing adds to the nats"""

    def total(self, z_loss: float) -> Float[Array, ""]:
        r"""$\sum_t \left(\log Z_t - x_t + \zeta \log^2 Z_t\right)$ with label smoothing (official code, losses.py)."""
        return self.nats + self.smoothing + z_loss * self.z_squared


def sequence_loss(
    model: PerceiverAR,
    tokens: Int[Array, "batch inputs"],
    targets: Int[Array, "batch inputs"],
    lengths: Int[Array, " batch"] | None = None,
    coordinates: Int[Array, "batch inputs axes"] | None = None,
    *,
    num_latents: int | None = None,
    key: PRNGKeyArray | None = None,
    label_smoothing: float = 0.0,
) -> Loss:
    """Loss at the latents, without latents before the start and targets that are PAD.

    With `logits_chunk`, the logits of only so many latents of each example are in memory at once; the backward pass
    recomputes them.

    Args:
        model: the network.
        tokens: inputs, padded on the right.
        targets: the token after each input.
        lengths: as for a call of the model.
        coordinates: as for a call of the model.
        num_latents: as for a call of the model.
        key: of dropout.
        label_smoothing: probability that the label gives to the other tokens.
    """
    z = model.latents(tokens, lengths, coordinates, num_latents=num_latents, key=key)
    full_lengths = jnp.full(len(tokens), tokens.shape[1]) if lengths is None else lengths
    input_indices = latent_indices(full_lengths, z.shape[1])
    latent_targets = take(targets, input_indices)
    counted = (input_indices >= 0) & (latent_targets != PAD)

    def sums(z: Array, latent_targets: Array, counted: Array) -> Loss:
        logits = model.logits(z)
        nats, log_z = token_nats(logits, latent_targets)
        smoothed = smoothing_nats(logits, nats, log_z, label_smoothing) if label_smoothing else jnp.zeros_like(nats)
        each = nats, jnp.square(log_z), jnp.ones_like(nats), smoothed
        return Loss(*(jnp.where(counted, values, 0.0).sum() for values in each))

    chunk = model.config.logits_chunk
    if not 0 < chunk < z.shape[1]:
        return sums(z, latent_targets, counted)

    def split_latents(array: Array) -> Array:
        # Split along the latents, so that a batch that is sharded over devices is not moved.
        missing = -array.shape[1] % chunk
        array = jnp.pad(array, [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)])
        return rearrange(array, "b (pieces n) ... -> pieces b n ...", n=chunk)

    def add(total: Loss, piece: tuple[Array, Array, Array]) -> tuple[Loss, None]:
        return jax.tree.map(jnp.add, total, jax.checkpoint(sums)(*piece)), None

    zero_loss = Loss(*jnp.zeros(4))
    return jax.lax.scan(add, zero_loss, (split_latents(z), split_latents(latent_targets), split_latents(counted)))[0]


Batch = Mapping[str, Array]


def batch_loss(model: PerceiverAR, batch: Batch, key: PRNGKeyArray | None = None, label_smoothing: float = 0.0) -> Loss:
    """`sequence_loss` of a batch."""
    return sequence_loss(
        model,
        batch["inputs"],
        batch["targets"],
        batch.get("lengths"),
        batch.get("coordinates"),
        key=key,
        label_smoothing=label_smoothing,
    )
