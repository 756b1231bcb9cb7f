"""Word vectors: a first token, padding, and related words nearby."""

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.text.words import WordEncoder, load_words


def test_features() -> None:
    encoder = WordEncoder(6)
    found = encoder.encode(["", "A dog", "one two three four five six seven"])
    assert found.tokens.shape == (3, 6, 128)
    assert found.mask.sum(1).tolist() == [1, 3, 6]
    assert found.tokens[~found.mask].abs().max() == 0
    torch.testing.assert_close(found.pooled[1], found.tokens[1, :3].mean(0))
    _, vectors = load_words()
    torch.testing.assert_close(found.tokens[0, 0], vectors[101])  # [CLS] of BERT's vocabulary
    torch.testing.assert_close(found.tokens[1, 2], encoder.encode(["DOG"]).tokens[0, 1])


def test_related_words_are_near() -> None:
    found = WordEncoder(4).encode(["dog", "puppy", "carrot", "vegetable"]).tokens[:, 1]
    similarity = torch.nn.functional.cosine_similarity(found[:, None], found[None], dim=2)
    assert similarity[0, 1] > similarity[0, 2]
    assert similarity[2, 3] > similarity[0, 3]


def test_cut_texts_are_counted() -> None:
    assert WordEncoder(4).count_cut(["a b c", "a b c d", "a"]) == 1


def test_wrong_values() -> None:
    with pytest.raises(UsageError, match="no text to encode"):
        WordEncoder(4).encode([])
    with pytest.raises(UsageError, match="max_tokens is 1"):
        WordEncoder(1)
