"""The verb `import`: one network, and a pipeline that `sample` then reads."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

from imagen3.models.networks import open_network

diffusers = pytest.importorskip("diffusers")


def test_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = diffusers.AutoencoderKL(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, scaling_factor=0.5,
    )  # fmt: skip
    theirs.save_pretrained(tmp_path / "vae")
    assert run_verb("imagen3", "import", str(tmp_path / "vae"), "--output", str(tmp_path / "run")) == 0
    opened = open_network(tmp_path / "run" / "pretrained")
    assert float(opened.scale) == 0.5
    assert "kl, " in capsys.readouterr().out


@pytest.mark.slow
def test_a_pipeline(pixart_pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("imagen3", "import", str(pixart_pipeline), "--output", str(tmp_path / "run")) == 0
    assert "encoders in" in capsys.readouterr().out
    words = ("--weights", str(tmp_path / "run"), "--prompt", "a b", "--count", "2", "--steps", "2", "--scale", "1")
    assert run_verb("imagen3", "sample", *words, "--output", str(tmp_path / "drawn")) == 0
    assert (tmp_path / "drawn" / "picture-1.png").is_file()


def test_wrong_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ("--output", str(tmp_path / "run"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    for folder, expected in (("missing", "does not exist"), ("other", "unknown pipeline 'StableDiffusionPipeline'")):
        assert run_verb("imagen3", "import", str(tmp_path / folder), *output) == 2
        check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
