"""Evaluators of samples: a causal model and n-grams, both trained on text that the sampled model has not seen."""

import functools
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float, Int
from onepaper.errors import UsageError
from onepaper.text import KneserNey

from cdcd.evaluation.statistics import distinct, repetition, unigram_entropy
from cdcd.models.autoregressive import AutoregressiveLM


class Evaluators:
    """A causal model and an interpolated Kneser-Ney model of the same text.

    Args:
        model: the causal one.
        ngrams: the other one.
        batch_size: sequences evaluated at once.
    """

    def __init__(self, model: AutoregressiveLM, ngrams: KneserNey, batch_size: int = 128) -> None:
        if model.config.vocab_size != ngrams.vocab_size:
            raise UsageError(
                f"the evaluators have vocabularies of {model.config.vocab_size} and {ngrams.vocab_size}, expected one"
            )
        self.model, self.ngrams, self.batch_size = model, ngrams, batch_size

    def measure(
        self, tokens: Int[np.ndarray, "count length"], mask: Bool[np.ndarray, "count length"], entropy_tokens: int = 0
    ) -> dict[str, float]:
        """Quality and diversity of samples.

        `ar_nll` and `kn_nll` are nats per token of complete sequences, `..._completion` of the sampled tokens only,
        both given all tokens before; `entropy`, `repetition`, `distinct_1` and `distinct_2` are of complete sequences.

        Args:
            tokens: samples with their prompts.
            mask: true where a token was sampled.
            entropy_tokens: number of tokens that the entropy is estimated from; 0: all.
        """
        nats = {"ar": causal_nats(self.model, tokens, self.batch_size), "kn": self.ngrams.nats(tokens)}
        found = {f"{name}_nll": float(values.mean()) for name, values in nats.items()}
        found |= {f"{name}_nll_completion": float(values[mask].mean()) for name, values in nats.items()}
        found["entropy"] = unigram_entropy(tokens, entropy_tokens)
        found["repetition"] = repetition(tokens)
        return found | {f"distinct_{size}": distinct(tokens, size) for size in (1, 2)}


def causal_nats(
    model: AutoregressiveLM, tokens: Int[np.ndarray, "count length"], batch_size: int = 128
) -> Float[np.ndarray, "count length"]:
    """-ln p of each token under a causal model."""
    graph, state = nnx.split(model)
    size = min(batch_size, len(tokens))
    found = []
    for start in range(0, len(tokens), size):
        rows = np.arange(start, start + size).clip(max=len(tokens) - 1)
        found.append(np.asarray(_causal_nats(graph, state, tokens[rows]))[: len(tokens) - start])
    return np.concatenate(found)


@functools.partial(jax.jit, static_argnums=0)
def _causal_nats(graph: Any, state: Any, tokens: Any) -> Any:
    return nnx.merge(graph, state).nats(tokens)
