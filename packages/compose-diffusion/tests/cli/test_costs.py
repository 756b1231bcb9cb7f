from dataclasses import replace

import pytest
import torch

from compose_diffusion.cli.costs import cost_of, image_step_cost, step_cost
from compose_diffusion.config.guided_diffusion import EncoderConfig, UNetConfig
from compose_diffusion.config.networks import FitConfig
from compose_diffusion.config.paper_images import PaperImagesConfig
from compose_diffusion.config.toy import ToyNetworkConfig
from compose_diffusion.models.digits import DigitModels
from compose_diffusion.models.guided_diffusion import build_network
from compose_diffusion.models.toy import make_network
from compose_diffusion.presets import PRESETS
from compose_diffusion.pretrained.checkpoints import expected_shapes


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


def test_an_energy_of_the_plane_takes_about_twice_the_operations_of_a_score():
    dae, score = (step_cost(make_network(ToyNetworkConfig(form=form)), torch.zeros(1, 2)) for form in ("dae", "score"))
    assert score.parameters == dae.parameters == 565_506
    assert dae.flops / score.flops == pytest.approx(2, abs=0.1)
    config = PRESETS["laptop-toy"].config
    assert cost_of(config)["networks"] == "6"
    assert cost_of(replace(config, objective="distill"))["networks"] == "12"


FLAT = {
    "image_size": 8,
    "width": 32,
    "multipliers": (1,),
    "num_blocks": 1,
    "attention_sizes": (),
    "head_width": 32,
}


def test_operations_of_a_training_step_by_hand():
    config = UNetConfig(**FLAT)
    pixels, channels = 8 * 8, 32
    forward = 0
    for name, shape in expected_shapes(config).items():
        if name.endswith("weight") and len(shape) > 1:
            forward += 2 * torch.Size(shape).numel() * (1 if len(shape) == 2 else pixels)
    attention = 2 * (2 * pixels * pixels * channels)
    # Backward takes twice as much, but for what comes first: images and sinusoids need no gradient.
    first = 2 * pixels * 9 * 3 * channels + 2 * channels * 4 * channels
    assert image_step_cost(config).flops == 3 * (forward + attention) - first


def test_an_energy_takes_about_twice_the_operations():
    noise, energy = image_step_cost(UNetConfig(**FLAT)), image_step_cost(UNetConfig(**FLAT, form="dae"))
    assert noise.parameters == energy.parameters
    # Forward, gradient of the images, and both again backwards: 6 passes, where a denoiser takes 3.
    assert energy.flops / noise.flops == pytest.approx(2, abs=0.25)
    assert 1.5 < energy.activation_bytes / noise.activation_bytes < 4


def test_kept_activations_are_those_that_a_real_step_keeps():
    config = UNetConfig(**FLAT)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network = build_network(config)
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        loss = network(torch.zeros(1, 3, 8, 8), torch.zeros(1, dtype=torch.long)).square().sum()
    real = sum(size for pointer, size in kept.items() if pointer not in weights)
    assert loss == 0
    # Kernels differ in small things (statistics, attention weights) between a device and the meta device.
    assert image_step_cost(config).activation_bytes == pytest.approx(real, rel=0.25)


@pytest.mark.parametrize(
    ("name", "network", "classifier"),
    [
        ("paper-clevr", 125_121_667, None),
        ("paper-imagenet128", 420_498_691, 42_568_040),
        ("paper-text-to-image", 2_387_050_499, None),
    ],
)
def test_presets_exist_as_shapes(name, network, classifier):
    config = PRESETS[name].config
    assert sum(torch.Size(shape).numel() for shape in expected_shapes(config.network).values()) == network
    if classifier is not None:
        assert sum(torch.Size(shape).numel() for shape in expected_shapes(config.classifier).values()) == classifier


def test_figures_of_a_preset():
    network = UNetConfig(**FLAT, condition="text", text_dim=5)
    classifier = EncoderConfig(**FLAT, num_classes=4)
    fit = FitConfig(steps=10**9, batch_size=16)
    costs = cost_of(PaperImagesConfig("mine", network, fit, classifier, fit))
    counted = image_step_cost(network)
    assert costs["parameters of the network"] == f"{counted.parameters:,}"
    assert costs["parameters of the classifier"] == f"{image_step_cost(classifier).parameters:,}"
    assert float(costs["FLOPs per step of the network"]) == pytest.approx(16 * counted.flops, rel=0.01)
    assert costs["activations of the network"].endswith(" MB for each image on the device")
