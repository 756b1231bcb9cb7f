"""The perceptual and the adversarial term: by hand, their gradients, and that the discriminator learns."""

from dataclasses import replace

import pytest
import torch
from onepaper.accelerator import AcceleratorOptions
from onepaper.errors import UsageError
from onepaper.runs import Run
from onepaper.torch.accelerator import Accelerator
from onepaper.training import read_metrics
from torch import nn

from imagen3.config import AutoencoderTerms, SystemConfig
from imagen3.data.pictures import Pictures
from imagen3.models.autoencoder import Autoencoder
from imagen3.models.discriminator import Adversarial, PatchDiscriminator
from imagen3.training.autoencoder import autoencoder_loss, train_autoencoder
from imagen3.training.autoencoder_terms import adversarial_terms, open_perceptual, perceptual_distance

TERMS = AutoencoderTerms(adversarial_weight=0.5, start=2, discriminator_width=8, discriminator_layers=2)


class Colours(nn.Module):
    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        return [pictures, nn.functional.avg_pool2d(pictures, 2)]


def test_perceptual_distance() -> None:
    """0 for equal pictures and for those of other brightness, as features have unit length; 2 where orthogonal."""
    first, second = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    first[:, 0], second[0, 0], second[1, 1] = 1.0, 0.3, 0.7
    found = perceptual_distance(Colours(), first, second)
    torch.testing.assert_close(found, torch.tensor([0.0, 4.0]))
    network = open_perceptual(f"{__name__}:Colours")
    assert not network.training


def make() -> Adversarial:
    torch.manual_seed(0)
    from imagen3.presets import PRESETS

    return Adversarial(Autoencoder(PRESETS["smoke"].config.autoencoder), PatchDiscriminator(8, 2))


def test_adversarial_terms_by_hand() -> None:
    model, terms = make(), replace(TERMS, start=0)
    pictures, target = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    decoded = model.autoencoder.decode(model.autoencoder.encode(pictures).mean)
    error = (decoded - target).abs().mean()
    batch = {"pictures": pictures, "step": torch.tensor([0, 0])}
    total, logged = adversarial_terms(model, decoded, batch, error, terms, Accelerator())
    last = model.autoencoder.decoder[-2].weight
    score = model.discriminator(decoded).mean((1, 2, 3)).sum()
    norms = [torch.autograd.grad(own, last, retain_graph=True)[0].norm() for own in (error, score)]
    expected = 0.5 * norms[0] / (norms[1] + 1e-4)
    hinge = sum(
        torch.clamp(1 - sign * model.discriminator(own.detach()), min=0).mean((1, 2, 3)).sum() / 2
        for own, sign in ((pictures, 1), (decoded, -1))
    )
    torch.testing.assert_close(total, hinge - expected * score)
    torch.testing.assert_close(logged["adversarial_factor"], 2 * expected)
    # The decoder is moved by the score alone, and the discriminator by the hinge loss alone.
    whole = torch.autograd.grad(total, [last, model.discriminator.layers[0].weight], retain_graph=True)
    torch.testing.assert_close(whole[0], torch.autograd.grad(-expected.detach() * score, last, retain_graph=True)[0])
    torch.testing.assert_close(whole[1], torch.autograd.grad(hinge, model.discriminator.layers[0].weight)[0])


def test_before_the_start_nothing_is_added(config: SystemConfig) -> None:
    model = make()
    batch = {"pictures": torch.rand(2, 3, 16, 16), "normal": torch.zeros(2, 1, 4, 4, 4)}
    for step, equal in ((1, True), (2, False)):
        given = batch | {"step": torch.full((2,), step)}
        found = autoencoder_loss(config, TERMS)(model, given, torch.Generator())[0]
        plain = autoencoder_loss(config)(model.autoencoder, given, torch.Generator())[0]
        assert torch.equal(found, plain) == equal


def test_a_training_with_both_terms(config: SystemConfig, pictures: Pictures, tmp_path) -> None:
    """Resumed to the same bits; the adversarial term counts from its start."""
    terms = replace(TERMS, perceptual=f"{__name__}:Colours", perceptual_weight=0.5)
    loop = config.autoencoder_training.loop

    def train(folder: str, steps: int) -> dict[str, torch.Tensor]:
        run = Run(tmp_path / folder, {"config": {}})
        own = replace(loop, steps=steps, log_every=1)
        return train_autoencoder(config, pictures, run, loop=own, terms=terms)[0].state_dict()

    whole = train("whole", 6)
    train("parts", 3)
    assert all(torch.equal(value, whole[name]) for name, value in train("parts", 6).items())
    rows = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert rows[0]["adversarial_factor"] == 0 < rows[-1]["adversarial_factor"]


@pytest.mark.parametrize("name", ["missing:network", f"{__name__}:missing", "no_colon", "builtins:dict"])
def test_wrong_networks(name: str) -> None:
    with pytest.raises(UsageError, match=r"terms.perceptual"):
        open_perceptual(name)


def test_sharded_parameters_are_refused(config: SystemConfig, pictures: Pictures) -> None:
    accelerator = Accelerator()
    accelerator.options = AcceleratorOptions(shards=2)
    with pytest.raises(UsageError, match="leave out --shards"):
        train_autoencoder(config, pictures, terms=TERMS, accelerator=accelerator)
