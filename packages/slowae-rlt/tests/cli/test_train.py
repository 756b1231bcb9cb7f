"""The verb `train` writes weights that `encode`, `decode` and `evaluate` read."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_train_then_encode_and_decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    words = ("--preset", "smoke", "--output", str(run), "--export", str(exported), "--loop.steps", "4")
    assert run_verb("slowae-rlt", "train", *words) == 0
    assert {file.name for file in exported.iterdir()} == {"SHA256SUMS", "config.json", "model.safetensors"}
    weights = ("--weights", str(run))
    words = (*weights, "--prompt", "en/agent-loginok", "--output", str(tmp_path / "e"))
    assert run_verb("slowae-rlt", "encode", *words) == 0
    names = {file.name for file in (tmp_path / "e").iterdir()}
    assert names >= {"events.sae", "index.html", "recording.png", "recording.wav", "reconstruction.wav"}
    events = str(tmp_path / "e" / "events.sae")
    assert run_verb("slowae-rlt", "decode", *weights, "--events", events, "--output", str(tmp_path / "d")) == 0
    decoded = (tmp_path / "d" / "decoded.wav").read_bytes()
    assert decoded == (tmp_path / "e" / "reconstruction.wav").read_bytes()
    capsys.readouterr()
    words = ("--weights", "identity", "--events", events, "--output", str(tmp_path / "x"))
    assert run_verb("slowae-rlt", "decode", *words) == 2
    check_one_line_error(capsys.readouterr().err, "decode with the weights that encoded them")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--slowness.controller.target-rate", "5000"), "target_rate is 5000"),
        (("--batch-size", "0"), "batch_size is 0"),
        (("--data.dataset", "audio", "--data.path", "missing"), "missing is no folder"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("slowae-rlt", "train", "--preset", "smoke", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def test_train_a_vq_autoencoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert run_verb("slowae-rlt", "train", "--preset", "smoke-vq", "--output", str(run), "--loop.steps", "2") == 0
    assert "compare-codecs --vq-weights" in capsys.readouterr().out
    words = ("--weights", "--vq-weights", str(run), "--peers", "--metrics", "--count", "1")
    assert run_verb("slowae-rlt", "compare-codecs", *words, "--output", str(tmp_path / "c")) == 0
    # 32 codes of 5 bits
    assert float(capsys.readouterr().out.splitlines()[2].split("|")[2]) == pytest.approx(312.5, abs=10)
