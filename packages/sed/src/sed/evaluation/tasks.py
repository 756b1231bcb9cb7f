"""Samples of the tasks that one network does: unconditional text, and windows of held-out text with gaps."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Int
from onepaper.text import KneserNey

from sed.config import SamplingOptions
from sed.data.corpus import Corpus, TextCodec, check_length, held_out_windows
from sed.diffusion.spans import task_mask
from sed.evaluation.evaluators import Evaluators
from sed.evaluation.statistics import CopyRate
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import Network
from sed.sampling import Sampler

# Stands for what was not given, in the files of what was.
BLANK = "\N{WHITE SQUARE}"


class Task(NamedTuple):
    """Windows of held-out text, and which of their tokens are given."""

    tokens: Int[np.ndarray, "count length"]
    cond_mask: Bool[np.ndarray, "count length"]


def held_out_task(network: Network[EmbeddingDiffusion], corpus: Corpus, task: str, count: int) -> Task:
    """Windows of the test part with padding as in training, of which the task gives a part.

    Raises:
        UsageError: a test part shorter than a sequence, or another task.
    """
    length = network.model.config.length
    check_length(corpus.test, length, "test")
    windows = held_out_windows(corpus.test, length, count, network.data)
    return Task(windows, np.broadcast_to(task_mask(task, length), windows.shape).copy())


def task_files(codec: TextCodec, tokens: Int[np.ndarray, "count length"], task: Task) -> dict[str, bytes]:
    """Samples as text, `sample-0.txt` and so on, and what was given of each as `sample-0.given.txt` for a gallery."""
    files = {}
    for number, (row, given) in enumerate(zip(tokens, task.cond_mask, strict=False)):
        cuts = np.flatnonzero(np.diff(given)) + 1
        parts = [codec.decode(part) for part in np.split(row, cuts)]
        shown = [
            part if kept[0] else BLANK * len(part) for part, kept in zip(parts, np.split(given, cuts), strict=True)
        ]
        files[f"sample-{number}.txt"] = "".join(parts).encode()
        if given.any():
            files[f"sample-{number}.given.txt"] = "".join(shown).encode()
    return files


def make_evaluators(model: AutoregressiveLM, corpus: Corpus) -> Evaluators:
    """The causal model, with n-grams and copies of the training part."""
    return Evaluators(model, KneserNey(corpus.train, corpus.codec.vocab_size), CopyRate(corpus.train))


def complete(
    network: Network[EmbeddingDiffusion], task: Task, options: SamplingOptions, *, seed: int = 0
) -> Int[np.ndarray, "count length"]:
    """The network's tokens for a task."""
    return Sampler(network.model, options).sample(task.tokens, task.cond_mask, seed=seed).tokens


def complete_causally(
    model: AutoregressiveLM, task: Task, *, temperature: float = 1.0, nucleus: float = 1.0, seed: int = 0
) -> Int[np.ndarray, "count length"]:
    """The same by a causal model from left to right, which sees what is given only before each token."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(len(task.tokens)))
    graph, state = nnx.split(model)
    return np.asarray(_complete(graph, temperature, nucleus, state, task.tokens, task.cond_mask, keys))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _complete(graph: Any, temperature: float, nucleus: float, state: Any, tokens: Any, mask: Any, keys: Any) -> Any:
    return nnx.merge(graph, state).sample(tokens, mask, keys, temperature=temperature, nucleus=nucleus)
