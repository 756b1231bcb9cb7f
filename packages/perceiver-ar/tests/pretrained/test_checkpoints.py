import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import model_arrays

from perceiver_ar.config import DataConfig, ModelConfig
from perceiver_ar.data.text import WordText
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.checkpoints import (
    SHIPPED,
    Network,
    check_network,
    find_weights,
    open_network,
    save_network,
)


def small(vocab_size: int) -> PerceiverAR:
    config = ModelConfig(vocab_size=vocab_size, context_length=8, num_latents=4, depth=1, width=8, heads=2,
                         rotary_fraction=1.0)  # fmt: skip
    return PerceiverAR(config, nnx.Rngs(0))


def test_a_network_comes_back_with_its_words(tmp_path: Path) -> None:
    codec = WordText(["<unk>", "the", "cat"])
    network = Network(small(codec.vocab_size), DataConfig("novels", tokens="words"), codec)
    again = open_network(str(save_network(tmp_path / "net", network)))
    assert again.data == network.data
    assert isinstance(again.codec, WordText)
    assert again.codec.words == codec.words
    for one, other in zip(model_arrays(network.model).values(), model_arrays(again.model).values(), strict=True):
        np.testing.assert_array_equal(one, other)
    (tmp_path / "net" / "words.txt").unlink()
    with pytest.raises(UsageError, match="words.txt is missing"):
        open_network(str(tmp_path / "net"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_open(name: str) -> None:
    network = open_network(name)
    assert (network.codec is None) == (name == "copy")
    assert sum(file.stat().st_size for file in find_weights(name).iterdir()) < 2_200_000


def test_what_is_not_there_raise_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("are neither a folder nor a shipped network (copy, text, music)")):
        open_network(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="data.json is missing"):
        open_network(str(tmp_path))
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(UsageError, match="is not valid JSON"):
        open_network(str(tmp_path))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_file_of_a_network_is_verified(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(find_weights(name), folder)
    check_network(str(folder))
    flips = random.Random(0)
    for file in ("config.json", "data.json", "model.safetensors", "SHA256SUMS"):
        content = (folder / file).read_bytes()
        for _ in range(8):
            at, bit = flips.randrange(len(content)), 1 << flips.randrange(8)
            (folder / file).write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
            with pytest.raises(OnePaperError, match="^[^\n]*$"):
                check_network(str(folder))
            if file == "config.json":
                with pytest.raises(OnePaperError, match="^[^\n]*$"):
                    open_network(str(folder))
        (folder / file).write_bytes(content)


def test_what_was_saved_is_verified(tmp_path: Path) -> None:
    folder = save_network(tmp_path, Network(small(7), DataConfig("copy"), None))
    check_network(str(folder))
    data = folder / "data.json"
    data.write_text(data.read_text().replace('"copy"', '"text"'))
    with pytest.raises(OnePaperError, match="data.json is damaged"):
        check_network(str(folder))
    (folder / "SHA256SUMS").unlink()  # a network of an earlier version
    for content in (b"[" * 100_000, b"\xff", b'{"dataset": NaN}'):
        data.write_bytes(content)
        with pytest.raises(OnePaperError, match="not readable JSON"):
            check_network(str(folder))


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    network = Network(small(7), DataConfig("copy"), None)
    network.model.norm.bias[...] = np.full(8, np.nan, np.float32)
    with pytest.raises(UsageError, match="norm/bias is not finite"):
        open_network(str(save_network(tmp_path, network)))
