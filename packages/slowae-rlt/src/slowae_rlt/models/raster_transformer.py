r"""A Transformer of the raster, the baseline of the run-length Transformer: all channels at each grid step.

$p(q) = \prod_t \prod_c p(q_{t,c} \mid q_{<t}, q_{t,<c})$. One position is a grid step; the levels of a step are
predicted one after the other from its state.

Axes: B sequences, N grid steps, C channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.jax.linear import Linear

from slowae_rlt.config import RunLengthConfig
from slowae_rlt.models.run_length_transformer import Block


class RasterTransformer(nnx.Module):
    """A language model of levels on the grid, of the blocks of the run-length Transformer.

    Args:
        config: sizes, with `length` grid steps of a sequence; the longest event and masks have no effect.
    """

    def __init__(self, config: RunLengthConfig, rngs: nnx.Rngs) -> None:
        self.config = config
        width, values = config.width, 2 * config.levels + 1
        # Of the step before, the last row for the start of the sequence; and of the channels before in the step.
        self.before = nnx.Embed(config.channels * values + 1, width, rngs=rngs)
        self.earlier = nnx.Embed(config.channels * values, width, rngs=rngs)
        self.channel = nnx.Embed(config.channels, width, rngs=rngs)
        self.blocks = nnx.List([Block(config, rngs) for _ in range(config.depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.hidden = Linear(width, width, rngs=rngs)
        self.head = Linear(width, values, rngs=rngs)

    def logits(self, levels: Int[Array, "B N C"], key: PRNGKeyArray | None = None) -> Float[Array, "B N C values"]:
        """Logits of the value of each channel, in float32.

        Args:
            levels: level + k.
            key: of the dropout; None: none.
        """
        config = self.config
        values, rate = 2 * config.levels + 1, config.dropout if key is not None else 0.0
        keys = iter(jax.random.split(key if key is not None else jax.random.key(0), 2 * config.depth + 1))

        def drop(x: Array) -> Array:
            kept = jax.random.bernoulli(next(keys), 1 - rate, x.shape)
            return jnp.where(kept, x / (1 - rate), 0.0)

        numbers = levels + values * np.arange(config.channels)
        start = jnp.full((len(levels), 1, config.channels), config.channels * values)
        x = drop(self.before(jnp.concatenate([start, numbers[:, :-1]], axis=1)).sum(axis=2))
        positions = jnp.arange(levels.shape[1])
        index = positions[:, None] - positions
        for block in self.blocks:
            x = x + drop(block.attend(*block.project(x), index, index[None]))
            x = x + drop(block.mlp(x))
        own = self.earlier(numbers)
        earlier = jnp.cumsum(own, axis=2) - own + self.channel(jnp.arange(config.channels))
        return self.head(jax.nn.gelu(self.hidden(self.norm(x)[:, :, None] + earlier))).astype(jnp.float32)

    def nats(self, levels: Int[Array, "B N C"], key: PRNGKeyArray | None = None) -> Float[Array, "B N C"]:
        r"""$-\ln p(q_{t,c} \mid \cdot)$; arguments as for `logits`."""
        log_probs = jax.nn.log_softmax(self.logits(levels, key))
        return -jnp.take_along_axis(log_probs, levels[..., None], axis=-1)[..., 0]
