"""Frozen encoders against the models of transformers, made here with random weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError

transformers = pytest.importorskip("transformers")

from audio_datasets.config import EncoderConfig  # noqa: E402
from audio_datasets.features.encoders import FrozenEncoder  # noqa: E402

SAMPLES = np.random.default_rng(0).standard_normal(3000).astype(np.float32)


@pytest.mark.parametrize("name", ["Wav2Vec2", "Hubert", "WavLM"])
def test_embeddings_are_means_of_hidden_states(name: str, small_encoder: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = getattr(transformers, f"{name}Config")(**small_encoder)
    model = getattr(transformers, f"{name}Model")(config).eval()
    model.save_pretrained(tmp_path)
    normalized = (SAMPLES - SAMPLES.mean()) / np.sqrt(SAMPLES.var() + 1e-7)
    with torch.no_grad():
        states = model(torch.as_tensor(normalized)[None], output_hidden_states=True).hidden_states
    for layer in (-1, 0, 1):
        found = FrozenEncoder(tmp_path, EncoderConfig(layer=layer))(SAMPLES)
        np.testing.assert_allclose(found, states[layer][0].mean(0).numpy(), atol=1e-5)
    both = FrozenEncoder(tmp_path, EncoderConfig(pooling="mean-deviation"))
    assert both.size == len(both(SAMPLES)) == 32
    np.testing.assert_allclose(both(SAMPLES)[16:], states[-1][0].numpy().std(0), atol=1e-5)
    largest = FrozenEncoder(tmp_path, EncoderConfig(pooling="max"))(SAMPLES)
    np.testing.assert_allclose(largest, states[-1][0].amax(0).numpy(), atol=1e-5)


def test_settings_and_short_clips(encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(encoder, tmp_path / "copy")
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false, "sampling_rate": 8000}')
    opened = FrozenEncoder(folder, EncoderConfig())
    assert opened.rate == 8000
    assert not np.allclose(opened(0.001 * SAMPLES), opened(SAMPLES), atol=1e-2)
    normalizing = FrozenEncoder(encoder, EncoderConfig())
    np.testing.assert_allclose(normalizing(0.001 * SAMPLES), normalizing(SAMPLES), atol=1e-2)
    assert np.isfinite(normalizing(SAMPLES[:1])).all()


def test_weights_below_a_head(small_encoder: dict[str, Any], tmp_path: Path) -> None:
    """A fine-tuned model with a head gives the embeddings of the encoder in it."""
    torch.manual_seed(2)
    config = transformers.Wav2Vec2Config(**small_encoder, num_labels=3, classifier_proj_size=8)
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "head")
    model.wav2vec2.save_pretrained(tmp_path / "alone")
    found = [FrozenEncoder(tmp_path / name, EncoderConfig())(SAMPLES) for name in ("head", "alone")]
    np.testing.assert_array_equal(*found)


def test_older_names_of_weights(encoder: Path, tmp_path: Path) -> None:
    """Published checkpoints name the parts of the weight normalisation as PyTorch did before version 2."""
    from safetensors.torch import load_file, save_file

    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    folder = shutil.copytree(encoder, tmp_path / "older")
    tensors = load_file(encoder / "model.safetensors")
    renamed = {key: value for key, value in tensors.items() if not key.endswith(tuple(names))}
    for new, old in names.items():
        (key,) = (key for key in tensors if key.endswith(new))
        renamed[key.replace(new, old)] = tensors[key]
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})
    found = [FrozenEncoder(path, EncoderConfig())(SAMPLES) for path in (encoder, folder)]
    np.testing.assert_array_equal(*found)


def test_refused(encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return shutil.copytree(encoder, tmp_path / name)

    with pytest.raises(UsageError, match=r"config.json does not exist"):
        FrozenEncoder(tmp_path, EncoderConfig())
    with pytest.raises(UsageError, match="encoder.layer is 3, expected 0 to 2"):
        FrozenEncoder(encoder, EncoderConfig(layer=3))
    other = copy("other")
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="a model of type bert, expected wav2vec2"):
        FrozenEncoder(other, EncoderConfig())
    pickled = copy("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(UsageError, match="pickled weights are not read"):
        FrozenEncoder(pickled, EncoderConfig())
    lacking, nan, cut = copy("lacking"), copy("nan"), copy("cut")
    tensors = load_file(encoder / "model.safetensors")
    first = next(name for name in tensors if name.endswith("layer_norm.weight"))
    save_file({k: v for k, v in tensors.items() if k != first}, lacking / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="lacks 1 weights"):
        FrozenEncoder(lacking, EncoderConfig())
    save_file({**tensors, first: tensors[first] * torch.nan}, nan / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="is not finite"):
        FrozenEncoder(nan, EncoderConfig())
    content = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="is damaged or no safetensors file"):
        FrozenEncoder(cut, EncoderConfig())
    for name, message in (("num_hidden_layers", "but there are weights of"), ("intermediate_size", "a network of")):
        settings = json.loads((encoder / "config.json").read_text()) | {name: 2**31}
        (nan / "config.json").write_text(json.dumps(settings))
        with pytest.raises(UsageError, match=message):
            FrozenEncoder(nan, EncoderConfig())
    (cut / "config.json").write_text(json.dumps([]))
    with pytest.raises(UsageError, match="is no description of a model"):
        FrozenEncoder(cut, EncoderConfig())
