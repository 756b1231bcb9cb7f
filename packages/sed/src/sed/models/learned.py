"""A denoiser whose token embeddings are trained with it, as the paper tried before it fixed them (section 3.1)."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from sed.config import ModelConfig
from sed.diffusion.embeddings import normalize_rows
from sed.models.denoiser import EmbeddingDiffusion


class LearnedEmbeddings(nnx.Module):
    """The network with trained rows in place of its fixed table.

    Rows are normalised inside, so that they cannot shrink; what is trained is their direction.

    Args:
        config: the architecture.
        table: initial embeddings, rows of norm sqrt(D).
    """

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs, table: Float[Array, "vocab embed"]) -> None:
        self.network = EmbeddingDiffusion(config, rngs, table)
        self.rows = nnx.Param(jnp.array(table, copy=True))  # a copy, because an array may not be donated twice

    def with_table(self) -> EmbeddingDiffusion:
        """The network with the present embeddings as its table; gradients go through them to the rows."""
        self.network.table[...] = normalize_rows(self.rows[...])
        return self.network
