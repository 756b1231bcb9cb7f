from dataclasses import replace

import pytest

from compose_diffusion.config import PRESETS
from compose_diffusion.costs import cost_of, training_cost
from compose_diffusion.digits.config import ClassifierConfig
from compose_diffusion.digits.model import DigitModels, NoisyClassifier
from compose_diffusion.pretrained.paper_config import PaperImagesConfig


@pytest.fixture(scope="module")
def models():
    return DigitModels.from_pretrained()


def with_few_layers(config):
    """The same kinds of networks, conditions and forms: counting takes its time for each layer, not for its size."""
    if not isinstance(config, PaperImagesConfig):
        return config
    few = {"multipliers": (1,), "num_blocks": 1, "attention_sizes": ()}
    classifier = None if config.classifier is None else replace(config.classifier, **few)
    return replace(config, network=replace(config.network, **few), classifier=classifier)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_cost(name):
    assert cost_of(with_few_layers(PRESETS[name].config))


def test_cost_counts_parameters(models):
    cost = cost_of(PRESETS["laptop-digits"].config)
    expected = sum(parameter.numel() for parameter in models.denoiser.parameters())
    assert cost["parameters of the denoiser"] == f"{expected:,}"


def test_operations_grow_with_the_batch():
    model = NoisyClassifier(ClassifierConfig(width=8))
    one, four = (float(training_cost(model, batch)["FLOPs of a training step"]) for batch in (1, 4))
    assert four == pytest.approx(4 * one, rel=0.01)
