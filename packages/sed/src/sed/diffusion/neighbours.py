"""What the forward process makes of a token: its nearest neighbours along the steps (paper, appendix B)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError

from sed.diffusion.embeddings import nearest_tokens
from sed.diffusion.schedule import Schedule


class Walk(NamedTuple):
    """Nearest tokens of noisy embeddings.

    Attributes:
        steps: t.
        tokens: the nearest one at each step, [steps, starts].
        left: whether it is not the start token.
        near: whether it is another one of the nearest neighbours of the start token.
    """

    steps: Int[np.ndarray, " steps"]
    tokens: Int[np.ndarray, "steps starts"]
    left: Bool[np.ndarray, "steps starts"]
    near: Bool[np.ndarray, "steps starts"]

    @property
    def half_left(self) -> int:
        """Number of the first step at which half of the tokens have left; the last one if they never do."""
        passed = self.left.mean(axis=1) >= 0.5
        return int(passed.argmax()) if passed.any() else len(passed) - 1

    def near_when_half_left(self) -> float:
        """Of the tokens that have left when half have, the fraction that is at a neighbour."""
        row = self.half_left
        return float(self.near[row].sum() / max(1, self.left[row].sum()))

    def largest_near(self) -> float:
        """The largest fraction of tokens that is at a neighbour, over the steps."""
        return float(self.near.mean(axis=1).max())


def forward_walk(
    table: Float[Array, "vocab embed"],
    schedule: Schedule,
    starts: Int[np.ndarray, " starts"],
    steps: Int[np.ndarray, " steps"],
    key: PRNGKeyArray,
    *,
    neighbours: int,
) -> Walk:
    """Noise tokens for growing steps, each with one noise for all of them, and look up the nearest token.

    Args:
        table: embeddings, rows of equal norm.
        schedule: of the noise.
        starts: tokens.
        steps: t, growing.
        key: of the noise.
        neighbours: how many tokens count as near to a start token.

    Raises:
        UsageError: more neighbours than other tokens.
    """
    if not 1 <= neighbours < len(table):
        raise UsageError(f"neighbours is {neighbours}, expected 1 to {len(table) - 1}")
    table = jnp.asarray(table)
    noise = jax.random.normal(key, (len(starts), table.shape[1]))

    def nearest(t: Array) -> Array:
        return nearest_tokens(schedule.q_sample(table[starts], jnp.full(len(starts), t), noise), table)

    tokens = np.asarray(jax.lax.map(nearest, jnp.asarray(steps)))
    closest = np.asarray(jax.lax.top_k(table[starts] @ table.T, neighbours + 1)[1])
    left = tokens != starts
    return Walk(np.asarray(steps), tokens, left, left & (tokens[..., None] == closest).any(axis=-1))
