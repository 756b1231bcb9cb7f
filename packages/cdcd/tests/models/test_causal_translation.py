"""The causal baseline: no look ahead, and beam search against all sentences."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cdcd.config import CausalTranslationConfig
from cdcd.data.sentences import BEGIN, END, PADDING
from cdcd.models.causal_translation import CausalTranslator

CONFIG = CausalTranslationConfig(vocab_size=6, source_length=4, length=5, width=16, encoder_depth=1, depth=2, heads=2)
MODEL = CausalTranslator(CONFIG, nnx.Rngs(0))
SOURCE = jnp.array([[3, 4, 2, 0], [5, 3, 3, 2], [4, 2, 0, 0]])


def all_sentences() -> np.ndarray:
    """Every target of the length that ends."""
    rows = []
    for size in range(CONFIG.length - 1):
        for tokens in itertools.product((3, 4, 5), repeat=size):
            row = [BEGIN, *tokens, END]
            rows.append(row + [PADDING] * (CONFIG.length - len(row)))
    return np.array(rows)


def test_no_look_ahead() -> None:
    target = jnp.array([[1, 3, 4, 5, 2]] * 3)
    memory = MODEL.encode(SOURCE)
    before, after = (MODEL.logits(memory, row) for row in (target, target.at[:, 3].set(4)))
    np.testing.assert_allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert not np.allclose(before[:, 3], after[:, 3], atol=1e-3)


def test_nats_are_of_tokens_after_the_begin() -> None:
    target = jnp.array([[1, 3, 2, 0, 0]] * 3)
    nats = MODEL.nats(SOURCE, target)
    log_probs = jax.nn.log_softmax(MODEL.logits(MODEL.encode(SOURCE), target[:, :-1]))
    np.testing.assert_allclose(nats[:, 0], -log_probs[:, 0, 3], rtol=1e-5)
    np.testing.assert_allclose(nats[:, 1], -log_probs[:, 1, 2], rtol=1e-5)
    np.testing.assert_array_equal(nats[:, 2:], 0)
    smooth = MODEL.nats(SOURCE, target, 0.3)
    np.testing.assert_allclose(smooth[:, 0], -0.7 * log_probs[:, 0, 3] - 0.3 * log_probs[:, 0].mean(axis=-1), rtol=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_wide_beams_find_the_best_sentence(length_penalty: float) -> None:
    sentences = all_sentences()
    found = MODEL.beam_search(SOURCE, beams=len(sentences), length_penalty=length_penalty)
    for row, source in enumerate(SOURCE):
        nats = MODEL.nats(jnp.repeat(source[None], len(sentences), axis=0), jnp.asarray(sentences)).sum(axis=1)
        sizes = (sentences != PADDING).sum(axis=1) - 1  # without the begin
        scores = -np.asarray(nats) / ((5 + sizes) / 6) ** length_penalty
        np.testing.assert_array_equal(found.tokens[row, 0], sentences[scores.argmax()])
        assert float(found.scores[row, 0]) == pytest.approx(scores.max(), rel=1e-4)


def test_greedy() -> None:
    found = np.asarray(MODEL.beam_search(SOURCE, beams=1, length_penalty=0.0).tokens[:, 0])
    memory = MODEL.encode(SOURCE)
    for row in range(3):
        tokens = [BEGIN]
        while tokens[-1] != END:
            padded = np.array(tokens + [PADDING] * (CONFIG.length - len(tokens)))
            logits = np.array(MODEL.logits(memory, jnp.asarray(np.repeat(padded[None], 3, axis=0))))[
                row, len(tokens) - 1
            ]
            logits[[PADDING, BEGIN]] = -np.inf
            tokens.append(END if len(tokens) == CONFIG.length - 1 else int(logits.argmax()))
        assert found[row].tolist() == tokens + [PADDING] * (CONFIG.length - len(tokens))


def test_round_trip(tmp_path: Path) -> None:
    again = CausalTranslator.from_pretrained(MODEL.save_pretrained(tmp_path))
    np.testing.assert_array_equal(again.embed[...], MODEL.embed[...])
