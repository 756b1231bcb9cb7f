import pytest

from compose_diffusion.config import PRESETS
from compose_diffusion.costs import cost_of, training_cost
from compose_diffusion.digits.config import ClassifierConfig
from compose_diffusion.digits.model import DigitModels, NoisyClassifier


@pytest.fixture(scope="module")
def models():
    return DigitModels.from_pretrained()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_cost(name):
    assert cost_of(PRESETS[name].config)


def test_cost_counts_parameters(models):
    cost = cost_of(PRESETS["laptop-digits"].config)
    expected = sum(parameter.numel() for parameter in models.denoiser.parameters())
    assert cost["parameters of the denoiser"] == f"{expected:,}"


def test_operations_grow_with_the_batch():
    model = NoisyClassifier(ClassifierConfig(width=8))
    one, four = (float(training_cost(model, batch)["FLOPs of a training step"]) for batch in (1, 4))
    assert four == pytest.approx(4 * one, rel=0.01)
