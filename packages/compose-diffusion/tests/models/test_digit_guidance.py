import shutil

import pytest
import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import OnePaperError, UsageError
from onepaper.torch.accelerator import Accelerator

from compose_diffusion.config.samplers import KERNELS
from compose_diffusion.models.digit_guidance import (
    KERNEL_DEFAULTS,
    classifier_leaf,
    guided_by_classifier,
    guided_by_label,
    label_leaf,
    load_models,
)
from compose_diffusion.models.digits import SHIPPED_WEIGHTS, DigitModels

LEVEL = 30


@pytest.fixture(scope="module")
def models():
    return DigitModels.from_pretrained()


@pytest.fixture
def x(generator):
    return torch.randn(4, 1, 8, 8, generator=generator)


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
    for guided in (guided_by_label, guided_by_classifier):
        score = guided(models, [], weight=2.0).evaluate(x, LEVEL).score
        torch.testing.assert_close(score, label_leaf(models, None).evaluate(x, LEVEL).score)


def test_on_other_levels_the_networks_are_asked_for_the_nearest(models, x):
    short = models.schedule.respace(25)
    own = int(models.schedule.nearest_levels(short)[7])
    torch.testing.assert_close(short.alphas_cumprod[7], models.schedule.alphas_cumprod[own])
    for guided in (guided_by_label, guided_by_classifier):
        respaced = guided(models, [3], [5], weight=2.0, schedule=short).evaluate(x, 7).score
        torch.testing.assert_close(respaced, guided(models, [3], [5], weight=2.0).evaluate(x, own).score)
    found, expected = classifier_leaf(models, 3, short).evaluate(x, 7), classifier_leaf(models, 3).evaluate(x, own)
    torch.testing.assert_close(found.log_density, expected.log_density)


def test_steps_are_named_by_their_kernel():
    assert {name: options.kernel for name, options in KERNEL_DEFAULTS.items()} == {name: name for name in KERNELS}


def test_missing_or_damaged_weights(tmp_path):
    accelerator = Accelerator(AcceleratorOptions(device="cpu"))
    with pytest.raises(UsageError, match="nowhere does not exist"):
        load_models(tmp_path / "nowhere", accelerator)
    damaged = shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "weights")
    (damaged / "classifier" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(OnePaperError, match="damaged"):
        load_models(damaged, accelerator)
