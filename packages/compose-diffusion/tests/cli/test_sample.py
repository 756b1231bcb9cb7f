import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import UsageError
from onepaper.paper import Invocation
from PIL import Image

from compose_diffusion.cli.options import SampleOptions
from compose_diffusion.cli.sample import sample_verb, sampler_name
from compose_diffusion.cli.sample import sampler_options as described
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.models.digits import Denoiser, NoisyClassifier
from compose_diffusion.paper import PAPER
from compose_diffusion.sources.builtin import ToySource
from compose_diffusion.sources.pictures import ENLARGEMENT, GAP

CPU = torch.device("cpu")
FEW = SampleOptions(count=4, sampler="reverse", device="cpu", all_of=(3,))
TOY = SampleOptions(expression="ring & bar", count=10, batch_size=3, num_levels=4, device="cpu")


def call(options):
    return sample_verb(Invocation(PAPER, PAPER.verb("sample"), None, options))


def sampler_options(options):
    return described(options, ToySource("ring", CPU))


def test_a_weighted_population_reports_its_effective_size(tmp_path, capsys):
    options = replace(TOY, sampler="fkc", steps_per_level=0, count=60, num_levels=20, output=tmp_path)
    assert call(options) == 0
    found = json.loads((tmp_path / "samples.json").read_text())
    sizes = found["effective_sample_size"]
    assert len(sizes) == 20
    assert all(1 <= size <= 60 for size in sizes)
    assert found["acceptance"] == [None] * 20
    reported = (
        f"effective sample size: {min(sizes):.0f} of 60 at the worst level; resampled {found['resamplings']} times"
    )
    assert reported in capsys.readouterr().out
    assert (tmp_path / "levels.png").read_bytes().startswith(b"\x89PNG")


def test_acceptance_is_drawn_over_the_levels_where_there_is_a_test(tmp_path):
    call(replace(TOY, sampler="mala", steps_per_level=1, output=tmp_path / "mala"))
    call(replace(TOY, sampler="ula", steps_per_level=1, output=tmp_path / "ula"))
    assert (tmp_path / "mala/levels.png").is_file()
    assert not (tmp_path / "ula/levels.png").exists()
    assert json.loads((tmp_path / "ula/samples.json").read_text())["effective_sample_size"] == [None] * 4


def test_command_line_to_sampler():
    assert sampler_options(SampleOptions(sampler="reverse")).method == "reverse"
    hamiltonian = sampler_options(SampleOptions(sampler="uhmc", ancestral=False, step_scale=0.2, steps_per_level=7))
    assert (hamiltonian.method, hamiltonian.kernel) == ("annealed", "uhmc")
    assert (hamiltonian.step_scale, hamiltonian.steps_per_level) == (0.2, 7)
    assert sampler_options(SampleOptions(sampler="hmc", line_points=4)).line_points == 4
    window = sampler_options(SampleOptions(first_level=7, last_level=2))
    assert (window.first_level, window.last_level) == (7, 2)
    weighted = sampler_options(SampleOptions(sampler="fkc"))
    assert (weighted.method, weighted.steps_per_level, weighted.clip_x0) == (
        "fkc",
        10,
        None,
    )  # steps remove the error of the time step


def test_defaults_name_a_known_kernel():
    assert sampler_options(SampleOptions()).method == "reverse-mcmc"
    assert isinstance(sampler_options(SampleOptions(sampler="hmc")), SamplerOptions)


def test_samplers_in_words():
    reported = {
        "the reverse process": SampleOptions(sampler="reverse"),
        "the Feynman-Kac corrector": SampleOptions(sampler="fkc", steps_per_level=0),
        "the Feynman-Kac corrector and 3 ULA steps at each level": SampleOptions(sampler="fkc", steps_per_level=3),
        "reverse steps and 3 HMC steps at each level": SampleOptions(sampler="hmc", steps_per_level=3),
        "3 MALA steps at each level": SampleOptions(sampler="mala", steps_per_level=3, ancestral=False),
    }
    for words, options in reported.items():
        assert sampler_name(sampler_options(options)) == words


def test_two_processes_draw_the_samples_of_one(tmp_path):
    words = ["sample", "ring & bar", "--count", "10", "--batch-size", "3", "--num-levels", "4", "--device", "cpu"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "compose_diffusion"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, *words, "--output", str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("picture: ") == 1
    call(replace(TOY, output=tmp_path / "one"))
    one, two = (np.load(tmp_path / name / "samples.npz")["samples"] for name in ("one", "two"))
    assert np.array_equal(one, two)
    reported = [json.loads((tmp_path / name / "samples.json").read_text()) for name in ("one", "two")]
    for facts in reported:
        facts.pop("seconds")
    assert reported[0] == reported[1]


def test_verb_draws_what_was_asked_for(tmp_path, capsys):
    options = replace(FEW, count=12, output=tmp_path / "run")
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "all of 3 (weight 2) by label; 12 samples by the reverse process" in said
    assert "200 network evaluations for each sample" in said
    assert str(tmp_path / "run" / "samples.png") in said
    assert np.load(tmp_path / "run" / "samples.npz")["samples"].shape == (12, 1, 8, 8)
    reported = json.loads((tmp_path / "run" / "samples.json").read_text())
    share = reported["attribute_accuracy"]["wanted"]["shows 3"]
    assert share > 0.8
    assert f"wanted: shows 3 {share:.1%}" in said
    cell = 8 * ENLARGEMENT + GAP
    with Image.open(tmp_path / "run" / "samples.png") as picture:
        assert picture.size == (10 * cell + GAP, 2 * cell + GAP)
    assert (tmp_path / "run" / "run.json").exists()


def test_verb_draws_an_expression(tmp_path, capsys):
    options = replace(TOY, expression="ring&bar@0.5", sampler="mala", output=tmp_path / "run")
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "ring & bar @ 0.5; 10 samples by reverse steps and 10 MALA steps at each level" in said
    assert "acceptance: " in said
    reported = json.loads((tmp_path / "run" / "samples.json").read_text())
    assert reported["request"] == "ring & bar @ 0.5"
    assert len(reported["acceptance"]) == 4
    assert reported["acceptance"][3] is None


def test_improper_densities_are_reported(tmp_path, capsys):
    call(replace(TOY, expression="ring - bar", sampler="reverse", output=tmp_path / "run"))
    assert "warning: weights of the composed densities sum to 0" in capsys.readouterr().out


@pytest.mark.parametrize("sampler", ["reverse", "ula", "uhmc"])
def test_sampling_is_a_function_of_the_seed(sampler, few_levels, tmp_path):
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        call(replace(FEW, sampler=sampler, weights=few_levels, output=tmp_path / name, seed=seed))
        drawn.append(np.load(tmp_path / name / "samples.npz")["samples"])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("sampler", ["ula", "uhmc"])
@pytest.mark.parametrize("by", ["label", "classifier"])
@pytest.mark.parametrize("ancestral", [True, False])
def test_mcmc_by_label_and_by_classifier(sampler, by, ancestral, few_levels, tmp_path, capsys):
    options = replace(FEW, sampler=sampler, by=by, ancestral=ancestral, weights=few_levels, output=tmp_path / "run")
    assert call(replace(options, none_of=(1,))) == 0
    said = capsys.readouterr().out
    assert f"none of 1 (weight 1) by {by}" in said
    assert ("reverse steps and 2" in said) == ancestral
    assert "unwanted: shows 1 " in said


@pytest.mark.parametrize("sampler", ["mala", "hmc"])
@pytest.mark.parametrize("by", ["label", "classifier"])
def test_metropolis_without_energies_is_refused(sampler, by, tmp_path):
    with pytest.raises(UsageError, match=r"needs log densities, which PredictionLeaf does not give") as caught:
        call(replace(FEW, sampler=sampler, by=by, output=tmp_path / "run"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sampler", ["mala", "hmc"])
def test_metropolis_by_line_integrals_runs(sampler, few_levels, tmp_path):
    options = replace(FEW, sampler=sampler, line_points=2, weights=few_levels, output=tmp_path / "run")
    assert call(options) == 0


def test_compiled_networks_are_the_leaves_own(few_levels, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda network: compiled.append(network))
    call(replace(FEW, weights=few_levels, compile=True, by="classifier", output=tmp_path / "run"))
    assert {type(network) for network in compiled} == {Denoiser, NoisyClassifier}
    assert len(compiled) == 2


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert call(replace(FEW, output=tmp_path / "run", dry_run=True)) == 0
    assert "would draw 4 samples" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_missing_weights(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        call(replace(FEW, weights=tmp_path / "nowhere", output=tmp_path / "run"))
