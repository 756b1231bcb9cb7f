"""Networks on disk, and what is refused."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError, UsageError

from cdcd.config import LETTERS
from cdcd.data.corpus import TextCodec
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import Network, check_same_tokens, open_network, save_network


def test_round_trip(weights: Path, untrained: CategoricalDiffusion) -> None:
    network = open_network(weights / "speeches", CategoricalDiffusion)
    np.testing.assert_array_equal(network.model.embeddings(), untrained.embeddings())
    assert network.codec.vocab_size == len(LETTERS)
    assert network.data.tokens == "letters"
    assert open_network(weights / "speeches-evaluator", AutoregressiveLM).data.part == "evaluator"


def test_wrong_folders(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind 'autoregressive', expected 'diffusion'"):
        open_network(weights / "speeches-evaluator", CategoricalDiffusion)
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_network("nowhere", CategoricalDiffusion)
    folder = shutil.copytree(weights / "speeches", tmp_path / "copy")
    (folder / "characters.txt").write_text("abc")
    with pytest.raises(OnePaperError, match="characters.txt is damaged"):
        open_network(folder, CategoricalDiffusion)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="tokenizer of 3 tokens, expected 28"):
        open_network(folder, CategoricalDiffusion)
    (folder / "characters.txt").unlink()
    with pytest.raises(UsageError, match=r"characters.txt cannot be read"):
        open_network(folder, CategoricalDiffusion)
    (folder / "data.json").write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        open_network(folder, CategoricalDiffusion)
    for content in ([], {"model": []}, {"model": "diffusion"}):
        (folder / "data.json").write_text(json.dumps(content))
        with pytest.raises(UsageError):
            open_network(folder, CategoricalDiffusion)


def test_weights_that_are_not_finite(weights: Path, untrained: CategoricalDiffusion, tmp_path: Path) -> None:
    network = open_network(weights / "speeches", CategoricalDiffusion)
    graph, state = nnx.split(untrained)
    model = nnx.merge(graph, state, copy=True)
    model.head.bias[...] = model.head.bias[...].at[0].set(jnp.nan)  # type: ignore[index]
    save_network(tmp_path, Network(model, network.data, network.codec))
    with pytest.raises(UsageError, match="head/bias is not finite"):
        open_network(tmp_path, CategoricalDiffusion)


def test_damaged_files_are_one_line_errors(weights: Path, tmp_path: Path) -> None:
    """Flipped and missing bytes of every file give an error of ours, never another one."""
    generator = np.random.default_rng(0)
    for number in range(40):
        folder = shutil.copytree(weights / "speeches", tmp_path / str(number))
        file = sorted(folder.iterdir())[number % 4]
        content = bytearray(file.read_bytes())
        if number % 3:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        else:
            content = content[: int(generator.integers(len(content)))]
        file.write_bytes(content)
        try:
            open_network(folder, CategoricalDiffusion)
        except OnePaperError as error:  # UsageError is one
            message = str(error)
        else:
            message = ""
        assert "\n" not in message


def test_tokenizers_must_agree(weights: Path) -> None:
    from onepaper.text import CharacterTokenizer

    codec = open_network(weights / "speeches", CategoricalDiffusion).codec
    check_same_tokens(codec, codec, "itself")
    with pytest.raises(UsageError, match="weights 'other' have another tokenizer"):
        check_same_tokens(TextCodec("letters", CharacterTokenizer(LETTERS[::-1])), codec, "other")
