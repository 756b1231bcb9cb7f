"""Evaluators of samples: a causal model and n-grams of the training text, entropy, repetition and copies."""

import functools
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float, Int
from onepaper.errors import UsageError
from onepaper.text import KneserNey

from sed.data.corpus import strip_pads
from sed.evaluation.statistics import CopyRate, distinct, repetition, unigram_entropy
from sed.models.autoregressive import AutoregressiveLM


class Evaluators:
    """A causal model and an interpolated Kneser-Ney model of the same text.

    Args:
        model: the causal one.
        ngrams: the other one.
        copies: of the training text of what is evaluated.
        batch_size: sequences evaluated at once.
    """

    def __init__(self, model: AutoregressiveLM, ngrams: KneserNey, copies: CopyRate, batch_size: int = 128) -> None:
        if model.config.vocab_size != ngrams.vocab_size:
            raise UsageError(
                f"the evaluators have vocabularies of {model.config.vocab_size} and {ngrams.vocab_size}, expected one"
            )
        self.model, self.ngrams, self.copies, self.batch_size = model, ngrams, copies, batch_size

    def measure(
        self,
        tokens: Int[np.ndarray, "count length"],
        cond_mask: Bool[np.ndarray, "count length"] | None = None,
        entropy_tokens: int = 0,
    ) -> dict[str, float]:
        """Quality and diversity of samples, of which padding is taken out first (paper, section 4.2).

        `ar_nll` and `kn_nll` are nats per sampled token, given all tokens before it in its sequence; `entropy` (with
        `entropy_corrected`), `repetition`, `distinct_1`, `distinct_2` and `copied` are of sampled tokens, `tokens`
        their number, and `padding` the fraction of padding among what was sampled.

        Args:
            tokens: samples with what was given.
            cond_mask: true where a token was given; None: nowhere.
            entropy_tokens: number of tokens that the entropy is estimated from; 0: all.

        Raises:
            UsageError: fewer sampled tokens than `entropy_tokens`, or none that is no padding.
        """
        sampled = np.ones(tokens.shape, bool) if cond_mask is None else ~cond_mask
        text, mask = strip_pads(tokens, sampled)
        flat = text[mask]
        entropy = unigram_entropy(flat, entropy_tokens)
        return {
            "ar_nll": float(causal_nats(self.model, text, self.batch_size)[mask].mean()),
            "kn_nll": float(self.ngrams.nats(text)[mask].mean()),
            "entropy": entropy,
            "entropy_corrected": unigram_entropy(flat, entropy_tokens, corrected=True),
            "repetition": repetition(text, mask),
            **{f"distinct_{size}": distinct(text, mask, size) for size in (1, 2)},
            "copied": self.copies(text, mask),
            "tokens": float(mask.sum()),
            "padding": 1.0 - float(mask.sum() / sampled.sum()),
        }


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
