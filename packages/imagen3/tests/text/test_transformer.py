"""Models of the library transformers, made here with random weights."""

from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.text.transformer import TransformerEncoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "apple"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(config).save_pretrained(path)
    transformers.BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    return path


def test_features(folder: Path) -> None:
    encoder = TransformerEncoder(folder, 16, 5)
    texts = ["a", "a red apple red red"]
    found = encoder.encode(texts)
    assert found.tokens.shape == (2, 5, 16)
    assert found.mask.sum(1).tolist() == [3, 5]
    assert found.tokens[~found.mask].abs().max() == 0
    torch.testing.assert_close(found.pooled[0], found.tokens[0, :3].mean(0))
    torch.testing.assert_close(encoder.encode(texts[:1]).tokens[0], found.tokens[0], rtol=1e-4, atol=1e-5)
    assert encoder.count_cut(texts) == 1


def test_wrong_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--text.dim 16"):
        TransformerEncoder(folder, 32, 5)
    with pytest.raises(UsageError, match="no usable model"):
        TransformerEncoder(tmp_path, 16, 5)
