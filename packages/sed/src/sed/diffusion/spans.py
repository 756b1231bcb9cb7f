"""Masks of training, true where a token is given (paper, section 3.2), and those of tasks."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PRNGKeyArray
from onepaper.errors import UsageError

from sed.config import TASKS


def sample_mask(key: PRNGKeyArray, batch: int, length: int, max_spans: int) -> Bool[Array, "{batch} {length}"]:
    """Spans, of which every second is given.

    The number n of spans is uniform from 1 to M. One span: nothing is given. More: n - 1 different cuts between
    positions, and with probability 1/2 the even spans are given, otherwise the odd ones. Nothing is given with
    probability 1/M, and each position with probability (M - 1) / 2M.

    Args:
        key: of the random numbers.
        batch: number of sequences.
        length: N.
        max_spans: M, at most N.
    """
    key_count, key_cuts, key_flip = jax.random.split(key, 3)
    count = jax.random.randint(key_count, (batch, 1), 1, max_spans + 1)
    # The n - 1 places of least rank are cuts.
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(key_cuts, (batch, length - 1)), axis=-1), axis=-1)
    cuts = jnp.pad(ranks < count - 1, ((0, 0), (1, 0)))
    spans = jnp.cumsum(cuts, axis=-1) + jax.random.bernoulli(key_flip, 0.5, (batch, 1))
    return (spans % 2 == 1) & (count > 1)


def task_mask(task: str, length: int) -> Bool[np.ndarray, " {length}"]:
    """What is given in a task: nothing, or half of the positions.

    suffix: the first half is given, as in the paper's experiments (section 4.3); prefix: the second half; middle: a
    quarter at each end; spans: two of four spans.

    Raises:
        UsageError: another task.
    """
    quarter = np.arange(length) * 4 // length
    given = {"unconditional": (), "suffix": (0, 1), "prefix": (2, 3), "middle": (0, 3), "spans": (0, 2)}
    if task not in given:
        raise UsageError(f"task is {task!r}, expected one of {', '.join(TASKS)}")
    return np.isin(quarter, given[task])
