import json
import math
from dataclasses import replace

import pytest
import torch
from onepaper.paper import Invocation

from compose_diffusion.config import PRESETS, EvaluateOptions
from compose_diffusion.digits.config import ClassifierConfig, DenoiserConfig, GuidanceConfig
from compose_diffusion.digits.data import load_digits
from compose_diffusion.digits.evaluation import ARMS, MEASURES, first_rows, guidance_accuracy, real_frechet_distance
from compose_diffusion.digits.model import Denoiser, DigitModels, NoisyClassifier
from compose_diffusion.evaluation import Summary, cost_of, evaluate_verb, summarise, table, with_differences
from compose_diffusion.network_options import ScheduleConfig
from compose_diffusion.paper import PAPER
from compose_diffusion.toy.config import ROWS, ToyExactConfig

FEW = GuidanceConfig(num_images=30)
FEW = replace(FEW, mcmc=replace(FEW.mcmc, steps_per_level=1))


@pytest.fixture(scope="module")
def models():
    return DigitModels.from_pretrained()


@pytest.fixture(scope="module")
def few_levels(tmp_path_factory):
    """A weights folder of tiny untrained networks, where every sampler is quick."""
    folder = tmp_path_factory.mktemp("weights")
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(folder / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(folder / "classifier")
    return folder


@pytest.fixture(scope="module")
def drawn(models):
    return guidance_accuracy(FEW, 100, models)


def test_both_arms_are_measured(drawn):
    assert set(drawn.measured) == {f"{arm}/{name}" for arm in ARMS for name in MEASURES}
    assert all(math.isfinite(value) for value in drawn.measured.values())
    for arm in ARMS:
        assert drawn.images[arm].shape == (30, 1, 8, 8)
        assert 0.3 < drawn.measured[f"{arm}/accuracy"] <= 1
        assert drawn.measured[f"{arm}/nearest_distance"] > 0.1
    assert drawn.labels.tolist() == list(range(10)) * 3


def test_evaluations_are_counted(drawn):
    # Two networks; after each of 99 reverse steps, one evaluation where the chain starts and one for its single move.
    assert drawn.measured["reverse/network_evaluations"] == 2 * 100
    assert drawn.measured["mcmc/network_evaluations"] == 2 * (1 + 99 * 2)


def test_same_seed_same_samples(few_levels):
    models = DigitModels.from_pretrained(few_levels)
    first, again, other = (guidance_accuracy(FEW, seed, models) for seed in (1, 1, 2))
    for arm in ARMS:
        torch.testing.assert_close(again.images[arm], first.images[arm], rtol=0, atol=0)
        assert not torch.equal(other.images[arm], first.images[arm])
    assert not torch.equal(first.images["mcmc"], first.images["reverse"])


def test_arms_without_moves_are_equal(few_levels):
    config = replace(FEW, mcmc=replace(FEW.mcmc, steps_per_level=0))
    samples = guidance_accuracy(config, 1, DigitModels.from_pretrained(few_levels))
    torch.testing.assert_close(samples.images["mcmc"], samples.images["reverse"], rtol=0, atol=0)


def test_first_rows(drawn):
    pictures = first_rows(drawn, rows=2)
    assert list(pictures) == list(ARMS)
    torch.testing.assert_close(pictures["mcmc"], drawn.images["mcmc"][:20], rtol=0, atol=0)


def test_real_distance_falls_with_the_number_of_images():
    assert real_frechet_distance(1000) < real_frechet_distance(50)
    assert len(load_digits("model")) > 1000


def test_summary_over_seeds():
    row = {f"{arm}/{name}": 1.0 for arm in ARMS for name in MEASURES}
    rows = [with_differences(row | {"mcmc/accuracy": value}) for value in (0.8, 0.9, 1.0)]
    summary = summarise(rows)
    assert summary["mcmc/accuracy"].mean == pytest.approx(0.9)
    assert summary["mcmc/accuracy"].standard_error == pytest.approx(0.1 / 3**0.5)
    assert summary["difference/accuracy"].mean == pytest.approx(-0.1)
    assert summarise(rows[:1])["mcmc/accuracy"].to_json() == {"mean": 0.8, "standard_error": None}


def test_table_has_a_line_for_each_measure():
    summary = {"a/x": Summary(1.0, 0.1), "b/x": Summary(2.0, math.nan)}
    lines = table(summary, ("a", "b"), [("x", "heading")]).splitlines()
    assert lines[0].split() == ["a", "b"]
    assert lines[1].split() == ["heading", "1±0.1", "2"]


def test_verb_on_digits(few_levels, tmp_path, capsys):
    options = EvaluateOptions(output=tmp_path / "run", seeds=(1,), device="cpu", weights=few_levels)
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), FEW, options, "laptop-guidance")) == 0
    said = capsys.readouterr().out
    assert "30 images for each of 1 seeds and 2 arms" in said
    assert all(heading in said for heading in MEASURES.values())
    told = json.loads((tmp_path / "run" / "guidance.json").read_text())
    assert told["by_seed"][0]["reverse/accuracy"] == told["summary"]["reverse/accuracy"]["mean"]
    assert {path.name for path in (tmp_path / "run").glob("*.png")} == {"reverse.png", "mcmc.png"}


def test_verb_on_the_toy(tmp_path, capsys):
    config = ToyExactConfig(num_samples=40, num_levels=5)
    options = EvaluateOptions(output=tmp_path / "run", seeds=(0, 1))
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options, "paper-toy-exact")) == 0
    assert "accuracy" in capsys.readouterr().out
    told = json.loads((tmp_path / "run" / "toy.json").read_text())
    assert {f"{row}/accuracy" for row in ROWS} <= told["summary"].keys()


@pytest.mark.parametrize("config", [FEW, ToyExactConfig()])
def test_dry_run_writes_nothing(config, tmp_path, capsys):
    options = EvaluateOptions(output=tmp_path / "run", dry_run=True)
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options)) == 0
    assert "would draw" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_cost(name):
    assert cost_of(PRESETS[name].config)


def test_cost_counts_parameters(models):
    cost = cost_of(PRESETS["laptop-digits"].config)
    expected = sum(parameter.numel() for parameter in models.denoiser.parameters())
    assert cost["parameters of the denoiser"] == f"{expected:,}"
