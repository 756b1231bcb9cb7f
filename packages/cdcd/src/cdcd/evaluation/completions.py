"""Completions of prompts from held-out text, and their evaluation."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Int
from onepaper.text import KneserNey

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus, check_length, held_out_windows
from cdcd.evaluation.evaluators import Evaluators
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.sampling import Sampler


class Prompts(NamedTuple):
    """Windows of held-out text of which the first half is given."""

    tokens: Int[np.ndarray, "count length"]
    mask: Bool[np.ndarray, "count length"]


def held_out_prompts(corpus: Corpus, length: int, count: int) -> Prompts:
    """Prompts of half the length (paper, section 6.2) from the test part; fewer if it is short.

    Raises:
        UsageError: a test part shorter than a sequence.
    """
    check_length(corpus.test, length, "test")
    windows = held_out_windows(corpus.test, length, count)
    return Prompts(windows, np.broadcast_to(np.arange(length) >= length // 2, windows.shape).copy())


def make_evaluators(model: AutoregressiveLM, corpus: Corpus) -> Evaluators:
    """The causal model, and n-grams of the evaluator's part of the corpus."""
    return Evaluators(model, KneserNey(corpus.evaluator, corpus.codec.vocab_size))


def evaluate_completions(
    model: CategoricalDiffusion, prompts: Prompts, evaluators: Evaluators, options: SamplingOptions, *, seed: int = 0
) -> dict[str, float]:
    """Quality and diversity of the completions of a network, see `Evaluators.measure`."""
    tokens = Sampler(model, options).sample(prompts.tokens, prompts.mask, seed=seed).tokens
    return evaluators.measure(np.asarray(tokens), prompts.mask)


def complete_causally(
    model: AutoregressiveLM, prompts: Prompts, *, nucleus: float = 1.0, seed: int = 0
) -> Int[np.ndarray, "count length"]:
    """Completions of the same prompts by a causal model, from left to right."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(len(prompts.tokens)))
    graph, state = nnx.split(model)
    return np.asarray(_complete(graph, nucleus, state, prompts.tokens, prompts.mask, keys))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _complete(graph: Any, nucleus: float, state: Any, tokens: Any, mask: Any, keys: Any) -> Any:
    return nnx.merge(graph, state).sample(tokens, mask, keys, nucleus=nucleus)
