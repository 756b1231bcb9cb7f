"""Evaluation of translations: BLEU, minimum Bayes risk, copied words, and losses on held-out pairs (paper, section
6.6).

BLEU is that of sacrebleu (Post, 2018); its default tokenization is for English, `intl` for German.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Int
from onepaper.errors import UsageError

from cdcd.config import Tokenization
from cdcd.data.parallel import Pair
from cdcd.data.sentences import PADDING
from cdcd.diffusion.embeddings import add_noise
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str], tokenization: Tokenization = "13a") -> float:
    """BLEU of a set of translations, from 0 to 100.

    Raises:
        UsageError: unequal numbers, or none.
    """
    from sacrebleu.metrics.bleu import BLEU

    if len(hypotheses) != len(references) or not hypotheses:
        raise UsageError(f"there are {len(hypotheses)} translations of {len(references)} sentences, expected as many")
    return float(BLEU(tokenize=tokenization).corpus_score(list(hypotheses), [list(references)]).score)


def least_risk(hypotheses: Sequence[str], tokenization: Tokenization = "13a") -> int:
    """Index of the hypothesis of the highest mean BLEU to the others, the first of equal ones (paper, section 6.6).

    This minimises the expected risk under the model, of which the hypotheses are samples (Kumar and Byrne, 2004).
    """
    if len(hypotheses) < 2:
        return 0
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=tokenization, effective_order=True)
    counts = {text: hypotheses.count(text) for text in hypotheses}
    # Each pair of different texts is compared once; an equal text has BLEU 100 (0 if it is empty).
    total = {
        text: sum(
            (count - (text == other)) * metric.sentence_score(text, [other]).score for other, count in counts.items()
        )
        for text in counts
    }
    best = max(total.values())
    return next(number for number, text in enumerate(hypotheses) if total[text] == best)


def bootstrap_p(
    baseline: Sequence[str], improved: Sequence[str], references: Sequence[str], *, samples: int = 1000, seed: int = 0
) -> float:
    """Paired bootstrap (Koehn, 2004): fraction of resampled test sets on which `improved` does not have more BLEU."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)  # counts of n-grams do not depend on it; without it sentences are warned of
    rows = [
        np.array([_statistics(metric, text, reference) for text, reference in zip(texts, references, strict=True)])
        for texts in (baseline, improved)
    ]
    generator = np.random.default_rng(seed)
    wins = 0
    for _ in range(samples):
        chosen = generator.integers(0, len(references), len(references))
        first, second = (_bleu(metric, row[chosen].sum(axis=0)) for row in rows)
        wins += second > first
    return 1.0 - wins / samples


def _statistics(metric: Any, hypothesis: str, reference: str) -> list[int]:
    score = metric.sentence_score(hypothesis, [reference])
    return [score.sys_len, score.ref_len, *score.counts, *score.totals]


def _bleu(metric: Any, sums: np.ndarray) -> float:
    hypothesis, reference, *counts = (int(value) for value in sums)
    return float(
        metric.compute_bleu(counts[:4], counts[4:], hypothesis, reference, smooth_method="exp", max_ngram_order=4).score
    )


def copy_rate(hypotheses: Sequence[str], sources: Sequence[str], references: Sequence[str]) -> float:
    """Fraction of words of translations that stand in their source but not in their reference.

    Untranslated words, which the paper saw where its training text has them (section 6.6).
    """
    words, copied = 0, 0
    for texts in zip(hypotheses, sources, references, strict=True):
        own, source, reference = (re.findall(r"\w+", text.lower()) for text in texts)
        words += len(own)
        copied += sum(word in source and word not in reference for word in own)
    return copied / max(words, 1)


def measure_translations(
    hypotheses: Sequence[str], pairs: Sequence[Pair], tokenization: Tokenization = "13a"
) -> dict[str, float]:
    """BLEU, fraction of copied words, and number of words divided by that of the references."""
    references = [pair.target for pair in pairs]
    words = [sum(len(text.split()) for text in texts) for texts in (hypotheses, references)]
    return {
        "bleu": corpus_bleu(hypotheses, references, tokenization),
        "copied": copy_rate(hypotheses, [pair.source for pair in pairs], references),
        "length": words[0] / max(words[1], 1),
    }


def evaluate_denoising(
    model: TranslationDiffusion, source: Int[np.ndarray, "pairs source"], target: Int[np.ndarray, "pairs length"]
) -> dict[str, float]:
    """Loss of held-out translations through the time warping and at both ends of the range.

    `nats` is of all positions, `nats_tokens` without padding, `nats_hidden` without padding and without the source.
    `t_min_share` is the loss at t_min divided by that at t_max; above 0.05 the range begins at too high a level.
    """
    warp = model.warp.averaged()
    graph, state = nnx.split(model)
    tokens = target != PADDING

    def measure(levels: Any, shown: float) -> np.ndarray:
        return np.asarray(_nats(graph, state, source, target, levels, shown))

    spread_levels = np.asarray(warp.inverse((jnp.arange(len(target)) + 0.5) / len(target)))
    shown, hidden = (measure(spread_levels, value) for value in (1.0, 0.0))
    low, high = (float(measure(np.full(len(target), t, np.float32), 1.0).mean()) for t in (warp.t_min, warp.t_max))
    return {
        "nats": float(shown.mean()),
        "nats_tokens": float(shown[tokens].mean()),
        "nats_hidden": float(hidden[tokens].mean()),
        "t_min_share": low / max(high, 1e-9),
    }


def causal_translation_nats(
    model: CausalTranslator, source: Int[np.ndarray, "pairs source"], target: Int[np.ndarray, "pairs length"]
) -> float:
    """Mean -ln p of each token of held-out translations under the baseline."""
    graph, state = nnx.split(model)
    return float(np.asarray(_causal_nats(graph, state, source, target)).sum() / (target[:, 1:] != PADDING).sum())


@functools.partial(jax.jit, static_argnums=0)
def _causal_nats(graph: Any, state: Any, source: Any, target: Any) -> Any:
    return nnx.merge(graph, state).nats(source, target)


@functools.partial(jax.jit, static_argnums=0)
def _nats(graph: Any, state: Any, source: Any, target: Any, t: Any, shown: Any) -> Any:
    """Cross-entropy of each position; with self-conditioning after a first evaluation."""
    model: TranslationDiffusion = nnx.merge(graph, state)
    memory, embeddings = model.encode(source, shown), model.embeddings()
    x = add_noise(jax.random.key(0), embeddings[target], t)
    prediction = jnp.zeros_like(x)
    if model.config.self_conditioning:
        prediction = model.predict(model.hidden(x, t, memory, prediction), embeddings)
    return model.nats(model.hidden(x, t, memory, prediction), target)
