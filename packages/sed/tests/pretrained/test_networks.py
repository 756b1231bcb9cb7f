"""Networks on disk, and what is refused."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError, UsageError
from onepaper.text import CharacterTokenizer

from sed.data.corpus import TextCodec
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.models.masked import MaskedLM
from sed.pretrained.networks import Network, check_same_tokens, open_network, save_network


def test_round_trip(weights: Path, untrained: EmbeddingDiffusion) -> None:
    network = open_network(weights / "kjv", EmbeddingDiffusion)
    np.testing.assert_array_equal(network.model.table[...], untrained.table[...])
    assert network.codec.vocab_size == 2048
    assert network.data.dataset == "kjv"
    assert open_network(weights / "kjv-evaluator", AutoregressiveLM).data.pad_fraction == 0
    assert open_network(weights / "kjv-embeddings", MaskedLM).model.table().shape == (2048, 16)


def test_wrong_folders(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind 'autoregressive', expected 'diffusion'"):
        open_network(weights / "kjv-evaluator", EmbeddingDiffusion)
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_network("nowhere", EmbeddingDiffusion)
    folder = shutil.copytree(weights / "kjv", tmp_path / "copy")
    (folder / "pieces.model").unlink()
    with pytest.raises(UsageError, match=r"pieces.model cannot be read"):
        open_network(folder, EmbeddingDiffusion)
    (folder / "data.json").write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        open_network(folder, EmbeddingDiffusion)
    for content in ([], {"model": []}, {"model": "diffusion"}):
        (folder / "data.json").write_text(json.dumps(content))
        with pytest.raises(UsageError):
            open_network(folder, EmbeddingDiffusion)


def test_weights_that_are_not_finite(weights: Path, untrained: EmbeddingDiffusion, tmp_path: Path) -> None:
    network = open_network(weights / "kjv", EmbeddingDiffusion)
    model = nnx.clone(untrained)
    model.predict.bias[...] = model.predict.bias[...].at[0].set(jnp.nan)  # type: ignore[index]
    save_network(tmp_path, Network(model, network.data, network.codec))
    with pytest.raises(UsageError, match="predict/bias is not finite"):
        open_network(tmp_path, EmbeddingDiffusion)


def test_damaged_files_are_one_line_errors(weights: Path, tmp_path: Path) -> None:
    """Flipped and missing bytes of every file give an error of ours, never another one."""
    generator = np.random.default_rng(0)
    for number in range(32):
        folder = shutil.copytree(weights / "kjv", tmp_path / str(number))
        file = sorted(folder.iterdir())[number % 4]
        content = bytearray(file.read_bytes())
        if number % 3:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        else:
            content = content[: int(generator.integers(len(content)))]
        file.write_bytes(content)
        try:
            open_network(folder, EmbeddingDiffusion)
        except OnePaperError as error:  # UsageError is one
            message = str(error)
        else:
            message = ""
        assert "\n" not in message


def test_tokenizers_must_agree(weights: Path) -> None:
    codec = open_network(weights / "kjv", EmbeddingDiffusion).codec
    check_same_tokens(codec, codec, "itself")
    with pytest.raises(UsageError, match="weights 'other' have another tokenizer"):
        check_same_tokens(TextCodec("characters", CharacterTokenizer("ab")), codec, "other")
