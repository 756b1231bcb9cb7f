"""The verb `evaluate`: its errors, and FID by a file of weights."""

import json
from pathlib import Path

import pytest
import torch
from onepaper.testing import check_one_line_error, run_verb

from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.models.inception import Inception
from dct_transformer.pretrained.networks import save_network


def test_missing_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("dct-transformer", "evaluate", "--weights", "nowhere") == 2
    check_one_line_error(capsys.readouterr().err, "unknown weights 'nowhere'")


def test_inception(trained: DCTransformer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FID beside that of the coded originals; a file that is not the published one is mentioned."""
    torch.manual_seed(0)
    torch.save(Inception().state_dict(), tmp_path / "inception.pth")
    weights = str(save_network(tmp_path / "network", trained))
    words = ("--weights", weights, "--count", "4", "--output", str(tmp_path / "run"))
    extra = ("--inception", str(tmp_path / "inception.pth"), "--references", "training")
    assert run_verb("dct-transformer", "evaluate", *words, *extra) == 0
    out = capsys.readouterr().out
    assert "sfid" in out
    assert "against the training originals" in out
    assert "is not the published file" in out
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["samples"] == 4
    assert found["distances"]["coded originals"]["fid"] < found["distances"][weights]["fid"]
    assert len(found["inception_sha256"]) == 64
    assert run_verb("dct-transformer", "evaluate", "--inception", "nowhere.pth") == 2
    check_one_line_error(capsys.readouterr().err, "nowhere.pth does not exist")
