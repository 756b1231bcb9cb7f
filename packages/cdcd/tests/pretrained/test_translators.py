"""Translation networks on disk, in full and in half precision, and what is refused."""

import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import OnePaperError, UsageError
from onepaper.jax.state_files import model_arrays

from cdcd.data.sentences import load_pairs
from cdcd.evaluation.translations import evaluate_denoising
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import open_translator, save_translator


def test_half_precision(translators: Path, tmp_path: Path) -> None:
    network = open_translator(translators / "verses", TranslationDiffusion)
    save_translator(tmp_path, network, half=True)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (translators / "verses", tmp_path)]
    assert sizes[1] < 0.55 * sizes[0]
    before, after = (model_arrays(n.model) for n in (network, open_translator(tmp_path, TranslationDiffusion)))
    for name, array in before.items():
        assert after[name].dtype == jnp.float32
        tolerance = 0 if name.startswith("warp/") else 5e-4
        np.testing.assert_allclose(after[name], array, rtol=tolerance, atol=1e-7 if tolerance else 0, err_msg=name)


def test_the_shipped_network_scores_references_above_shuffled_ones() -> None:
    network = open_translator("verses", TranslationDiffusion)
    config = network.model.config
    corpus = load_pairs(network.data, config.vocab_size, config.source_length, config.length)
    source, target = corpus.validation.source[:32], corpus.validation.target[:32]
    right = evaluate_denoising(network.model, source, target)["nats_tokens"]
    assert right < 3 < evaluate_denoising(network.model, source[::-1], target)["nats_tokens"]


def test_round_trip(translators: Path, tmp_path: Path) -> None:
    network = open_translator(translators / "verses-autoregressive", CausalTranslator)
    again = open_translator(save_translator(tmp_path, network), CausalTranslator)
    np.testing.assert_array_equal(again.model.embed[...], network.model.embed[...])
    assert again.data == network.data
    assert again.codec.decode(again.codec.encode_source("Sí, dijo.", 20)) == "Sí, dijo."


def test_wrong_folders(translators: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind 'translation', expected 'causal translation'"):
        open_translator(translators / "verses", CausalTranslator)
    with pytest.raises(UsageError, match="unknown weights 'nowhere'"):
        open_translator("nowhere", TranslationDiffusion)
    network = open_translator(translators / "verses", TranslationDiffusion)
    network.model.head.kernel[...] = network.model.head.kernel[...] * jnp.nan
    with pytest.raises(UsageError, match="head/kernel is not finite"):
        open_translator(save_translator(tmp_path / "nan", network), TranslationDiffusion)
    folder = shutil.copytree(translators / "verses", tmp_path / "copy")
    (folder / "pieces.model").unlink()
    with pytest.raises(UsageError, match=r"pieces.model cannot be read"):
        open_translator(folder, TranslationDiffusion)
    for content in ("{", "[]", json.dumps({"model": "translation"}), json.dumps({"model": []})):
        (folder / "pairs.json").write_text(content)
        with pytest.raises(UsageError):
            open_translator(folder, TranslationDiffusion)


def test_damaged_files_are_one_line_errors(translators: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(24):
        folder = shutil.copytree(translators / "verses", tmp_path / str(number))
        file = sorted(folder.iterdir())[number % 4]
        content = bytearray(file.read_bytes())
        if number % 3:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        else:
            content = content[: int(generator.integers(len(content)))]
        file.write_bytes(content)
        try:
            open_translator(folder, TranslationDiffusion)
        except OnePaperError as error:  # UsageError is one
            message = str(error)
        else:
            message = ""
        assert "\n" not in message
