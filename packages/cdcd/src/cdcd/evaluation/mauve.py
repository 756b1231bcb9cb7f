"""MAUVE of samples against text (Pillutla et al., 2021), on features of the causal evaluator.

The paper's MAUVE (table 3) takes its features from a large language model. The evaluator of this package is a small
one, so that scores are comparable with each other only, and are named "MAUVE (evaluator features)".
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int
from onepaper.errors import UsageError

from cdcd.models.autoregressive import AutoregressiveLM

MAUVE_NAME = "MAUVE (evaluator features)"


def evaluator_features(
    model: AutoregressiveLM, tokens: Int[np.ndarray, "count length"], batch_size: int = 128
) -> Float[np.ndarray, "count width"]:
    """The last state of the causal model after all tokens of each sequence."""
    graph, state = nnx.split(model)
    size = min(batch_size, len(tokens))
    found = []
    for start in range(0, len(tokens), size):
        rows = np.arange(start, start + size).clip(max=len(tokens) - 1)  # one size for all batches
        found.append(np.asarray(_last_states(graph, state, tokens[rows]))[: len(tokens) - start])
    return np.concatenate(found)


def mauve_score(
    text: Float[np.ndarray, "count width"], samples: Float[np.ndarray, "count width"], *, seed: int = 0
) -> float:
    """MAUVE of two sets of features, from 0 to 1 for equal distributions, with the defaults of the library mauve-text.

    It grows with fewer sequences: compare at the same number.

    Args:
        text: features of human text.
        samples: of samples.
        seed: of the clustering.

    Raises:
        UsageError: the library is not installed, or there are fewer than four sequences.
    """
    if min(len(text), len(samples)) < 4:
        raise UsageError(f"MAUVE of {len(text)} and {len(samples)} sequences, expected at least 4 of each")
    try:
        from mauve import compute_mauve
    except ImportError:
        raise UsageError("MAUVE needs the library mauve-text; pip install 'onepaper-cdcd[mauve]'") from None
    found = compute_mauve(p_features=text, q_features=samples, seed=seed, verbose=False)
    # The library's area under a curve whose points are all the same depends on the order of equal numbers.
    return 1.0 if np.array_equal(found.p_hist, found.q_hist) else float(found.mauve)


@functools.partial(jax.jit, static_argnums=0)
def _last_states(graph: Any, state: Any, tokens: Any) -> Any:
    # The state at a position sees the tokens before it; one more position sees all.
    return nnx.merge(graph, state).states(jnp.pad(tokens, ((0, 0), (0, 1))))[:, -1]
