"""Models of the library transformers, made here with random weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from safetensors.torch import load_file, save_file

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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_hidden_layers", 2**31, "num_hidden_layers is 2147483648, but there are weights of"),
        ("intermediate_size", 2**31, "a network of [0-9,]{11,} parameters, but its weights"),
    ],
)
def test_networks_far_larger_than_their_weights_are_refused(
    folder: Path, tmp_path: Path, name: str, value: int, message: str
) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    config = copied / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {name: value}), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        TransformerEncoder(copied, 16, 5)


def test_weights_that_are_missing_or_not_finite(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    first = next(name for name in tensors if name.endswith("query.weight"))
    copied = shutil.copytree(folder, tmp_path / "copied")
    save_file({**tensors, first: tensors[first] * torch.nan}, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"query.weight is not finite"):
        TransformerEncoder(copied, 16, 5)
    save_file({k: v for k, v in tensors.items() if k != first}, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="lacks 1 weights"):
        TransformerEncoder(copied, 16, 5)


@pytest.mark.parametrize("count", [10, pytest.param(2_000, marks=pytest.mark.slow)])
def test_damaged_settings(folder: Path, tmp_path: Path, count: int) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    path = copied / "config.json"
    fuzz(lambda _: TransformerEncoder(copied, 16, 5) and None, path, [path.read_bytes()], count)


def test_wrong_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--text.dim 16"):
        TransformerEncoder(folder, 32, 5)
    with pytest.raises(UsageError, match=r"config.json does not exist"):
        TransformerEncoder(tmp_path, 16, 5)
