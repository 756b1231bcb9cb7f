"""Text encoders of a pipeline: what it gives its network, and folders that are no pipelines."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from onepaper.errors import UsageError

from imagen3.text.pipeline import PipelineEncoder

pytest.importorskip("diffusers")


@pytest.mark.slow
def test_features(pixart_pipeline: Path) -> None:
    encoder = PipelineEncoder(pixart_pipeline, 24, 12)
    found = encoder.encode(["a bad cafe", "a"])
    assert found.tokens.shape == (2, 12, 24)
    assert found.mask.sum(1).tolist()[0] > found.mask.sum(1).tolist()[1] > 0
    assert encoder.count_cut(["a bad cafe", "a"]) == 0
    assert encoder.count_cut(["a bad cafe " * 9, "a"]) == 1
    again = encoder.encode(["a"])
    torch.testing.assert_close(again.tokens[0][again.mask[0]], found.tokens[1][found.mask[1]])
    with pytest.raises(UsageError, match="gives 24 features, expected text.dim, 32"):
        PipelineEncoder(pixart_pipeline, 32, 12).encode(["a"])


def test_folders_that_are_no_pipelines(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no model_index.json"):
        PipelineEncoder(tmp_path, 24, 12)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "NoPipeline"}))
    with pytest.raises(UsageError, match="unknown pipeline 'NoPipeline'"):
        PipelineEncoder(tmp_path, 24, 12)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline", "scheduler": 3}))
    with pytest.raises(UsageError, match="holds no usable pipeline"):
        PipelineEncoder(tmp_path, 24, 12)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("num_layers", 2**31, "num_layers is 2147483648, but there are weights of"),
        ("d_ff", 2**31, "a network of [0-9,]{11,} parameters, but its weights"),
    ],
)
def test_text_encoders_far_larger_than_their_weights_are_refused(
    pixart_pipeline: Path, tmp_path: Path, name: str, value: int, message: str
) -> None:
    folder = shutil.copytree(pixart_pipeline, tmp_path / "pipeline")
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {name: value}), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        PipelineEncoder(folder, 24, 12)


@pytest.mark.parametrize("content", ['"someone/model"', "[]", "{", "[" * 100_000])
def test_settings_that_are_no_object_ask_no_network(pixart_pipeline: Path, tmp_path: Path, content: str) -> None:
    folder = shutil.copytree(pixart_pipeline, tmp_path / "pipeline")
    (folder / "scheduler" / "scheduler_config.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"scheduler_config.json (holds|cannot be read)"):
        PipelineEncoder(folder, 24, 12)
