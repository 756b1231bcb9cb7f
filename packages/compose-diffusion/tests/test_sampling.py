import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from onepaper.errors import OnePaperError, UsageError
from onepaper.paper import Invocation
from PIL import Image

from compose_diffusion.config import SampleOptions
from compose_diffusion.digits.config import ClassifierConfig, DenoiserConfig
from compose_diffusion.digits.guidance import guided_by_classifier, guided_by_label, label_leaf
from compose_diffusion.digits.model import SHIPPED_WEIGHTS, Denoiser, DigitModels, NoisyClassifier
from compose_diffusion.network_options import ScheduleConfig
from compose_diffusion.paper import PAPER
from compose_diffusion.pictures import ENLARGEMENT, GAP, image_grid
from compose_diffusion.sampler_options import SamplerOptions
from compose_diffusion.sampling import judge, requested, sample_verb, sampler_options

LEVEL = 30
FEW = SampleOptions(count=4, sampler="reverse", device="cpu", all_of=(3,))


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


@pytest.fixture
def x(generator):
    return torch.randn(4, 1, 8, 8, generator=generator)


def call(options):
    return sample_verb(Invocation(PAPER, PAPER.verb("sample"), None, options))


def test_guidance_of_weight_one_is_the_conditional_model(models, x):
    guided = guided_by_label(models, [3], weight=1.0).evaluate(x, LEVEL).score
    torch.testing.assert_close(guided, label_leaf(models, 3).evaluate(x, LEVEL).score)


def test_label_guidance_adds_up(models, x):
    def score(label):
        with torch.no_grad():
            t = torch.full((4,), LEVEL)
            noise = models.denoiser(x, t, None if label is None else torch.full((4,), label))
        return -noise / models.schedule.sigma[LEVEL].float()

    guided = guided_by_label(models, [3, 8], [1], weight=2.0, negation=0.5).evaluate(x, LEVEL).score
    null = score(None)
    expected = null + 2 * (score(3) - null) + 2 * (score(8) - null) - 0.5 * (score(1) - null)
    torch.testing.assert_close(guided, expected, rtol=1e-4, atol=1e-4)


def test_classifier_guidance_adds_up(models, x):
    def slope(label):
        inputs = x.clone().requires_grad_()
        logits = models.classifier(inputs, torch.full((4,), LEVEL))
        return torch.autograd.grad(logits.log_softmax(dim=1)[:, label].sum(), inputs)[0]

    guided = guided_by_classifier(models, [3, 8], [1], weight=2.0, negation=0.5).evaluate(x, LEVEL).score
    expected = label_leaf(models, None).evaluate(x, LEVEL).score + 2 * slope(3) + 2 * slope(8) - 0.5 * slope(1)
    torch.testing.assert_close(guided, expected, rtol=1e-4, atol=1e-4)


def test_labels_may_differ_from_image_to_image(models, x):
    for guided in (guided_by_label, guided_by_classifier):
        mixed = guided(models, [torch.tensor([1, 2, 3, 4])], weight=2.0).evaluate(x, LEVEL).score
        alone = guided(models, [2], weight=2.0).evaluate(x[1:2], LEVEL).score
        torch.testing.assert_close(mixed[1:2], alone, rtol=1e-4, atol=1e-4)


def test_nothing_asked_for_is_the_unconditional_model(models, x):
    for by in ("label", "classifier"):
        score = requested(models, SampleOptions(by=by)).evaluate(x, LEVEL).score
        torch.testing.assert_close(score, label_leaf(models, None).evaluate(x, LEVEL).score)


def test_command_line_to_sampler():
    assert sampler_options(SampleOptions(sampler="reverse")).method == "reverse"
    hamiltonian = sampler_options(SampleOptions(sampler="uhmc", ancestral=False, step_scale=0.2, steps_per_level=7))
    assert (hamiltonian.method, hamiltonian.kernel) == ("annealed", "uhmc")
    assert (hamiltonian.step_scale, hamiltonian.steps_per_level) == (0.2, 7)
    assert sampler_options(SampleOptions(sampler="hmc", line_points=4)).line_points == 4


def test_verb_draws_what_was_asked_for(tmp_path, capsys):
    options = replace(FEW, count=12, output=tmp_path / "run")
    assert call(options) == 0
    said = capsys.readouterr().out
    assert "all of 3 (weight 2) by label; 12 images by the reverse process" in said
    assert "200 network evaluations for each image" in said
    assert str(tmp_path / "run" / "samples.png") in said
    arrays = np.load(tmp_path / "run" / "samples.npz")
    assert arrays["images"].shape == (12, 1, 8, 8)
    assert (arrays["seen"] == 3).mean() > 0.8
    told = json.loads((tmp_path / "run" / "samples.json").read_text())
    assert told["wanted_digit_seen"] == (arrays["seen"] == 3).mean()
    assert told["seen"][3] == (arrays["seen"] == 3).sum()
    cell = 8 * ENLARGEMENT + GAP
    with Image.open(tmp_path / "run" / "samples.png") as picture:
        assert picture.size == (10 * cell, 2 * cell)
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("sampler", ["reverse", "ula", "uhmc"])
def test_sampling_is_a_function_of_the_seed(sampler, few_levels, tmp_path):
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        call(replace(FEW, sampler=sampler, weights=few_levels, output=tmp_path / name, seed=seed))
        drawn.append(np.load(tmp_path / name / "samples.npz")["images"])
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
    assert "unwanted digit seen: " in said


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


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert call(replace(FEW, output=tmp_path / "run", dry_run=True)) == 0
    assert "would draw 4 images" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_missing_or_damaged_weights(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        call(replace(FEW, weights=tmp_path / "nowhere", output=tmp_path / "run"))
    damaged = shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "weights")
    (damaged / "classifier" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(OnePaperError, match="damaged"):
        call(replace(FEW, weights=damaged, output=tmp_path / "run"))


def test_judge():
    seen = torch.tensor([3, 8, 8, 1])
    assert judge(seen, [3, 8], [1]) == {"wanted_digit_seen": 0.75, "unwanted_digit_seen": 0.25}
    assert judge(seen, [], []) == {}


def test_image_grid():
    images = torch.stack([torch.full((1, 8, 8), value) for value in (-1.0, 1.0, 5.0)])
    picture = image_grid(images, columns=2)
    cell = 8 * ENLARGEMENT + GAP
    assert picture.shape == (2 * cell, 2 * cell)
    middle = cell // 2
    assert [int(picture[middle, middle]), int(picture[middle, cell + middle])] == [255, 0]
    assert [int(picture[cell + middle, middle]), int(picture[cell + middle, cell + middle])] == [0, 255]
    assert picture[0].min() == 255


def test_defaults_name_a_known_kernel():
    assert sampler_options(SampleOptions()).method == "reverse-mcmc"
    assert isinstance(sampler_options(SampleOptions(sampler="hmc")), SamplerOptions)
