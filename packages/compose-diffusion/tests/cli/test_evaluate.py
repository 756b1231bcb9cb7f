import json
import math
from dataclasses import replace
from functools import partial

import pytest
from onepaper.errors import UsageError
from onepaper.paper import Invocation, resolve

from compose_diffusion.cli import evaluate as evaluation
from compose_diffusion.cli.evaluate import Summary, evaluate_verb, summarise, table, with_differences
from compose_diffusion.cli.options import EVALUATIONS, EvaluateOptions
from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig, GuidanceConfig
from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import ROWS, ToyExactConfig, ToyLearnedConfig, ToyNetworkConfig
from compose_diffusion.evaluation.guided_digits import ARMS, MEASURES
from compose_diffusion.models.digits import Denoiser, NoisyClassifier
from compose_diffusion.models.toy import make_network
from compose_diffusion.paper import PAPER
from compose_diffusion.presets import PRESETS

FEW = GuidanceConfig(num_images=30)
FEW = replace(FEW, mcmc=replace(FEW.mcmc, steps_per_level=1))


@pytest.fixture(scope="module")
def few_levels(tmp_path_factory):
    """A weights folder of tiny untrained networks, where every sampler is quick."""
    folder = tmp_path_factory.mktemp("weights")
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(folder / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(folder / "classifier")
    return folder


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
    reported = json.loads((tmp_path / "run" / "guidance.json").read_text())
    assert reported["by_seed"][0]["reverse/accuracy"] == reported["summary"]["reverse/accuracy"]["mean"]
    assert {path.name for path in (tmp_path / "run").glob("*.png")} == {"reverse.png", "mcmc.png"}


def test_verb_on_the_toy(tmp_path, capsys):
    config = ToyExactConfig(
        num_samples=40,
        num_levels=5,
        langevin=SamplerOptions(kernel="ula", step_scale=1e-3, steps_per_level=1),
        hamiltonian=SamplerOptions(kernel="hmc", step_scale=0.03, steps_per_level=1),
    )
    options = EvaluateOptions(output=tmp_path / "run", seeds=(0, 1))
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options, "paper-toy-exact")) == 0
    assert "accuracy" in capsys.readouterr().out
    reported = json.loads((tmp_path / "run" / "toy.json").read_text())
    assert {f"{row}/accuracy" for row in ROWS} <= reported["summary"].keys()
    assert {f"{row}/total variation" for row in ROWS} <= reported["summary"].keys()
    clean = replace(options, output=tmp_path / "clean", seeds=(0,), last_step="clean")
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, clean, "paper-toy-exact")) == 0
    assert "last step to clean data" in capsys.readouterr().out
    again = json.loads((tmp_path / "clean" / "toy.json").read_text())["by_seed"][0]
    ours = reported["by_seed"][0]
    assert again["reverse/accuracy"] == ours["reverse/accuracy"]
    assert again["hmc/gradient evaluations"] > ours["hmc/gradient evaluations"]


def test_verb_on_learned_toys(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluate_folder", partial(evaluation.evaluate_folder, num_samples=40))
    network = ToyNetworkConfig(form="score", width=8, schedule=ScheduleConfig(num_levels=3))
    config = ToyLearnedConfig(network=network, components=("ring", "bar"))
    for name in config.components:
        make_network(network).save_pretrained(tmp_path / "weights" / name)
    options = EvaluateOptions(output=tmp_path / "run", seeds=(100,))
    with pytest.raises(UsageError, match="expected --weights"):
        evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options))
    options = replace(options, weights=tmp_path / "weights")
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options)) == 0
    assert "product for each of 1 seeds" in capsys.readouterr().out
    reported = json.loads((tmp_path / "run" / "learned.json").read_text())
    assert reported["by_seed"][0]["trained/ring loss"] == reported["quality"]["trained/ring loss"]["mean"]
    assert {name.partition("/")[0] for name in reported["summary"]} == set(ROWS)


@pytest.mark.parametrize("config", [FEW, ToyExactConfig(), ToyLearnedConfig()])
def test_dry_run_writes_nothing(config, tmp_path, capsys):
    options = EvaluateOptions(output=tmp_path / "run", dry_run=True)
    assert evaluate_verb(Invocation(PAPER, PAPER.verb("evaluate"), config, options)) == 0
    assert "would draw" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", EVALUATIONS, ids=lambda kind: kind.__name__)
def test_every_evaluation_has_presets_and_a_function(kind):
    assert callable(resolve(EVALUATIONS[kind]))
    assert any(type(preset.config) is kind for preset in PRESETS.values())
