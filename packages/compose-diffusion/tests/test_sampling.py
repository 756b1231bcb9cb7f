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
from onepaper.torch.accelerator import Accelerator
from PIL import Image

from compose_diffusion.config import SampleOptions
from compose_diffusion.digits.config import ClassifierConfig, DenoiserConfig
from compose_diffusion.digits.guidance import guided_by_classifier, guided_by_label
from compose_diffusion.digits.model import Denoiser, DigitModels, NoisyClassifier
from compose_diffusion.expression_tree import ExpressionError
from compose_diffusion.network_options import ScheduleConfig
from compose_diffusion.paper import PAPER
from compose_diffusion.pictures import ENLARGEMENT, GAP
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.samplers import draw
from compose_diffusion.sampling import batch_generator, draw_batches, requested, sample_verb, sampler_name
from compose_diffusion.sampling import sampler_options as described
from compose_diffusion.toy.source import ToySource

CPU = torch.device("cpu")
FEW = SampleOptions(count=4, sampler="reverse", device="cpu", all_of=(3,))
TOY = SampleOptions(expression="ring & bar", count=10, batch_size=3, num_levels=4, device="cpu")


@pytest.fixture(scope="module")
def few_levels(tmp_path_factory):
    """A weights folder of tiny untrained networks, where every sampler is quick."""
    folder = tmp_path_factory.mktemp("weights")
    schedule = ScheduleConfig(num_levels=5)
    Denoiser(DenoiserConfig(width=8, schedule=schedule)).save_pretrained(folder / "denoiser")
    NoisyClassifier(ClassifierConfig(width=8, schedule=schedule)).save_pretrained(folder / "classifier")
    return folder


def call(options):
    return sample_verb(Invocation(PAPER, PAPER.verb("sample"), None, options))


def sampler_options(options):
    return described(options, ToySource("ring", CPU))


def test_options_ask_for_guidance(few_levels, generator):
    x = torch.randn(4, 1, 8, 8, generator=generator)
    models = DigitModels.from_pretrained(few_levels)
    for by, guided in (("label", guided_by_label), ("classifier", guided_by_classifier)):
        options = SampleOptions(all_of=(3, 8), none_of=(1,), guidance=2.5, negation=0.5, by=by, weights=few_levels)
        found = requested(options, CPU)
        expected = guided(models, [3, 8], [1], weight=2.5, negation=0.5)
        torch.testing.assert_close(found.expression.evaluate(x, 3).score, expected.evaluate(x, 3).score)
        assert (found.wanted, found.unwanted) == (["3", "8"], ["1"])
        assert found.told == f"all of 3, 8 (weight 2.5) and none of 1 (weight 0.5) by {by}"
        assert requested(SampleOptions(by=by, weights=few_levels), CPU).told == "any digit"


def test_an_expression_of_digits_is_that_of_the_options(few_levels, generator):
    x = torch.randn(4, 1, 8, 8, generator=generator)
    by_options = requested(SampleOptions(all_of=(3,), none_of=(5,), guidance=3.0, weights=few_levels), CPU)
    text = "3*digits[3] - digits - 1*digits[5]"
    by_text = requested(SampleOptions(expression=text, weights=few_levels), CPU)
    scores = [request.expression.evaluate(x, 3).score for request in (by_options, by_text)]
    torch.testing.assert_close(*scores)
    assert (by_text.wanted, by_text.unwanted, by_text.told) == (["3"], ["5"], text)


def test_a_weighted_population_tells_its_effective_size(tmp_path, capsys):
    options = replace(TOY, sampler="fkc", count=60, num_levels=20, output=tmp_path)
    assert call(options) == 0
    found = json.loads((tmp_path / "samples.json").read_text())
    sizes = found["effective_sample_size"]
    assert len(sizes) == 20
    assert all(1 <= size <= 60 for size in sizes)
    assert found["acceptance"] == [None] * 20
    told = f"effective sample size: {min(sizes):.0f} of 60 at the worst level; resampled {found['resamplings']} times"
    assert told in capsys.readouterr().out
    assert (tmp_path / "levels.png").read_bytes().startswith(b"\x89PNG")


def test_acceptance_is_drawn_over_the_levels_where_there_is_a_test(tmp_path):
    call(replace(TOY, sampler="mala", steps_per_level=1, output=tmp_path / "mala"))
    call(replace(TOY, sampler="ula", steps_per_level=1, output=tmp_path / "ula"))
    assert (tmp_path / "mala/levels.png").is_file()
    assert not (tmp_path / "ula/levels.png").exists()
    assert json.loads((tmp_path / "ula/samples.json").read_text())["effective_sample_size"] == [None] * 4


def test_one_condition_on_both_sides_is_wanted(few_levels):
    request = requested(SampleOptions(expression="4*digits[3] - 2*digits[3] & ~digits[5]", weights=few_levels), CPU)
    assert (request.wanted, request.unwanted) == (["3"], ["5"])


@pytest.mark.parametrize(
    ("options", "told", "place"),
    [
        (SampleOptions(expression="ring & bra"), "unknown model 'bra': did you mean 'bar'", 7),
        (SampleOptions(expression="ring & digits"), "digits has samples of shape [1, 8, 8] and ring of [2]", 7),
        (SampleOptions(expression="digits[3] | digits[5]"), "which knows only a score", 10),
        (SampleOptions(expression="digits[3] & digits[x]"), "digits has no condition 'x'", 12),
        (SampleOptions(expression="ring[3]"), "ring was given the condition '3'", 0),
        (SampleOptions(expression="ring &"), "nothing after '&'", 6),
        (SampleOptions(expression="mine & ring"), "unknown model 'mine'", 0),
    ],
)
def test_mistakes_in_expressions_have_their_place(options, told, place):
    with pytest.raises(ExpressionError) as caught:
        requested(options, CPU)
    assert told in str(caught.value)
    assert caught.value.position == place
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            SampleOptions(expression="ring", leaf=("mine=folder",)),
            "--leaf names 'mine', which the expression 'ring' does not",
        ),
        (SampleOptions(expression="ring", num_levels=101), "num_levels is 101, expected at most the 100 levels"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, told):
    with pytest.raises(UsageError, match=told):
        requested(options, CPU)


def test_weights_belong_to_trained_models(tmp_path):
    with pytest.raises(UsageError, match="names none of digits, positions"):
        requested(SampleOptions(expression="ring", weights=tmp_path), CPU)


def test_command_line_to_sampler():
    assert sampler_options(SampleOptions(sampler="reverse")).method == "reverse"
    hamiltonian = sampler_options(SampleOptions(sampler="uhmc", ancestral=False, step_scale=0.2, steps_per_level=7))
    assert (hamiltonian.method, hamiltonian.kernel) == ("annealed", "uhmc")
    assert (hamiltonian.step_scale, hamiltonian.steps_per_level) == (0.2, 7)
    assert sampler_options(SampleOptions(sampler="hmc", line_points=4)).line_points == 4
    window = sampler_options(SampleOptions(first_level=7, last_level=2))
    assert (window.first_level, window.last_level) == (7, 2)
    weighted = sampler_options(SampleOptions(sampler="fkc"))
    assert (weighted.method, weighted.steps_per_level, weighted.clip_x0) == ("fkc", 0, None)


def test_defaults_name_a_known_kernel():
    assert sampler_options(SampleOptions()).method == "reverse-mcmc"
    assert isinstance(sampler_options(SampleOptions(sampler="hmc")), SamplerOptions)


def test_samplers_in_words():
    told = {
        "the reverse process": SampleOptions(sampler="reverse"),
        "the Feynman-Kac corrector": SampleOptions(sampler="fkc"),
        "the Feynman-Kac corrector and 3 ULA moves at each level": SampleOptions(sampler="fkc", steps_per_level=3),
        "reverse steps and 3 HMC moves at each level": SampleOptions(sampler="hmc", steps_per_level=3),
        "3 MALA moves at each level": SampleOptions(sampler="mala", steps_per_level=3, ancestral=False),
    }
    for words, options in told.items():
        assert sampler_name(sampler_options(options)) == words


def test_batches_are_drawn_each_with_its_own_stream():
    request, chosen = requested(TOY, CPU), sampler_options(TOY)
    drawn = draw_batches(request, chosen, TOY, Accelerator(TOY))
    for index, place in enumerate((slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 10))):
        generator = batch_generator(0, index, CPU)
        start = torch.randn(drawn.x[place].shape, generator=generator, dtype=torch.float64)
        alone = draw(request.expression, request.schedule, start, chosen, generator)
        torch.testing.assert_close(drawn.x[place], alone.x, rtol=0, atol=0)
    # An evaluation at the top, and after each of 3 reverse steps one where the chain starts and one for each move.
    assert drawn.evaluations == 1 + 3 * (1 + 10)
    assert drawn.acceptance[:3].tolist() == [1, 1, 1]
    assert drawn.acceptance[3].isnan()
    more = draw_batches(request, chosen, replace(TOY, count=12), Accelerator(TOY))
    torch.testing.assert_close(more.x[:9], drawn.x[:9], rtol=0, atol=0)


def test_a_weighted_population_is_one_batch():
    options = replace(TOY, sampler="fkc")
    request, chosen = requested(options, CPU), sampler_options(options)
    whole = draw_batches(request, chosen, replace(options, batch_size=100), Accelerator(options))
    parts = draw_batches(request, chosen, options, Accelerator(options))
    torch.testing.assert_close(parts.x, whole.x, rtol=0, atol=0)


def test_streams_differ_by_seed_and_place():
    first = {torch.rand(1, generator=batch_generator(seed, batch, CPU)).item() for seed in (0, 1) for batch in (0, 1)}
    assert len(first) == 4


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
    told = [json.loads((tmp_path / name / "samples.json").read_text()) for name in ("one", "two")]
    for facts in told:
        facts.pop("seconds")
    assert told[0] == told[1]


def test_verb_draws_what_was_asked_for(tmp_path, capsys):
    options = replace(FEW, count=12, output=tmp_path / "run")
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "all of 3 (weight 2) by label; 12 samples by the reverse process" in said
    assert "200 network evaluations for each sample" in said
    assert str(tmp_path / "run" / "samples.png") in said
    assert np.load(tmp_path / "run" / "samples.npz")["samples"].shape == (12, 1, 8, 8)
    told = json.loads((tmp_path / "run" / "samples.json").read_text())
    share = told["verdicts"]["wanted"]["shows 3"]
    assert share > 0.8
    assert f"wanted: shows 3 {share:.1%}" in said
    cell = 8 * ENLARGEMENT + GAP
    with Image.open(tmp_path / "run" / "samples.png") as picture:
        assert picture.size == (10 * cell, 2 * cell)
    assert (tmp_path / "run" / "run.json").exists()


def test_verb_draws_an_expression(tmp_path, capsys):
    options = replace(TOY, expression="ring&bar@0.5", sampler="mala", output=tmp_path / "run")
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "ring & bar @ 0.5; 10 samples by reverse steps and 10 MALA moves at each level" in said
    assert "acceptance: " in said
    told = json.loads((tmp_path / "run" / "samples.json").read_text())
    assert told["request"] == "ring & bar @ 0.5"
    assert len(told["acceptance"]) == 4
    assert told["acceptance"][3] is None


def test_improper_densities_are_told(tmp_path, capsys):
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
