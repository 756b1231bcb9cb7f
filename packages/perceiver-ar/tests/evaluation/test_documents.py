from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from perceiver_ar.config import RESERVED, ModelConfig
from perceiver_ar.data.corpus import InMemory
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.text import ByteText
from perceiver_ar.evaluation.documents import evaluate_documents, first_tokens, stride_of
from perceiver_ar.models.perceiver_ar import PerceiverAR

SMALL = ModelConfig(context_length=16, num_latents=4, depth=1, width=16, heads=2, rotary_fraction=0.5)


def test_modes_are_strides() -> None:
    assert [stride_of(mode, 16) for mode in ("incremental", "block", "strided")] == [1, 8, 9]
    assert [stride_of(mode, 1) for mode in ("incremental", "block", "strided")] == [1, 1, 1]


def test_first_tokens_count_targets() -> None:
    documents = InMemory(np.arange(length, dtype=np.int32) for length in (5, 10, 10))
    assert [len(part) for part in first_tokens(documents, 7)] == [5, 4]
    assert [len(part) for part in first_tokens(documents, 4)] == [5]
    assert [len(part) for part in first_tokens(documents, 0)] == [5, 10, 10]


@pytest.mark.parametrize("mode", ["incremental", "block", "strided"])
def test_a_uniform_model_has_known_numbers(mode: str) -> None:
    model, codec = PerceiverAR(SMALL, nnx.Rngs(0)), ByteText()  # a fresh head gives every id the same probability
    documents = [codec.encode("twelve bytes"), codec.encode("a text that is longer than the context is")]
    found = evaluate_documents(model, codec, documents, stride=stride_of(mode, 4))
    symbols = 12 + 41
    assert found["tokens"] == symbols + 2  # each document also has its end
    assert found["nats_per_token"] == pytest.approx(np.log(259), abs=1e-5)
    assert found["bits_per_byte"] == pytest.approx(np.log2(259) * (symbols + 2) / symbols, rel=1e-5)
    assert found["word_perplexity"] == pytest.approx(259 ** ((symbols + 2) / 11), rel=1e-3)


def test_words_renormalise_bytes_exactly() -> None:
    """Nats of bytes, summed and divided by words, are those of a word model that spells with these bytes."""
    rates = {" ": 0.2, "a": 0.5, "b": 0.3}
    text = "ab ba a bab"
    model = PerceiverAR(SMALL, nnx.Rngs(0))
    bias = np.full(259, -1e9, np.float32)
    bias[[ord(letter) + RESERVED for letter in rates]] = np.log([0.9 * rate for rate in rates.values()])
    bias[1] = np.log(0.1)  # the end
    model.head.bias[...] = jnp.asarray(bias)
    by_hand = np.prod([0.9 * rates[letter] for letter in text]) * 0.1
    found = evaluate_documents(model, ByteText(), [ByteText().encode(text)], stride=2)
    assert found["word_perplexity"] == pytest.approx(by_hand ** (-1 / 4), rel=1e-4)


def test_images_are_evaluated_by_their_axes() -> None:
    codec = ImageCodec(2, 2, 3)
    config = replace(SMALL, context_length=13, positions="absolute", position_tables="learned", axes=(4, 4, 5))
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    found = evaluate_documents(PerceiverAR(config, nnx.Rngs(0)), codec, [codec.encode(image)], stride=2)
    assert found["tokens"] == 13
    assert found["bits_per_dim"] == pytest.approx(np.log2(259) * 13 / 12, rel=1e-5)
