from pathlib import Path

import pytest

from simplex_cir.config import OracleConfig
from simplex_cir.evaluation import variation_of


def test_own_weights(trained: Path, run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = trained / "pretrained"
    assert run("evaluate", "--preset", "laptop-digits", "--weights", weights, "--dry-run") == 2
    assert "choose the --preset and --data that it was trained for" in capsys.readouterr().err
    # As many samples as training draws, so that the same compiled program serves.
    words = ("--preset", "smoke", "--weights", weights, "--count", "16", "--points", "8")
    assert run("evaluate", *words, "--output", tmp_path / "evaluated") == 0
    out = capsys.readouterr().out
    assert "bound" in out
    assert "Markov chain" in out


def test_a_folder_goes_before_the_shipped_network_of_its_name(
    trained: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "letters").symlink_to(trained / "pretrained")
    monkeypatch.chdir(tmp_path)
    assert run("evaluate", "--preset", "smoke", "--weights", "letters", "--dry-run") == 0


def test_lost_draws_are_reported(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below h the logarithmic step has no bound and overflows: at a = 0.1 most paths end as not-a-number."""
    config = OracleConfig((0.99, 0.01), a=0.1, samplers=("log-euler",), steps=(4,), num_draws=500)
    variation, lost = variation_of(config, "log-euler", 4, 0)
    assert lost > 0.5
    assert variation >= lost / 2
    words = ["--probabilities", "0.99", "0.01", "--a", "0.1", "--samplers", "log-euler", "--steps", "4"]
    assert run("evaluate", *words, "--num-draws", "500", "--output", tmp_path / "run") == 0
    assert f"lost as not-a-number: {lost:.2%} of the draws of log-euler, 4 steps" in capsys.readouterr().out
