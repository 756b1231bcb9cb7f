"""Networks on functionals: numbers of parameters, weights of the multitask loss."""

import pytest
import torch

from audio_datasets.config import MLPConfig, MultitaskConfig
from audio_datasets.models.mlp import MLP, Multitask


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_of_the_baselines() -> None:
    assert count(MLP(MLPConfig(88, 10))) == 22_442
    assert count(MLP(MLPConfig(6373, 10))) == 826_922
    assert count(Multitask(MultitaskConfig(88))) == 26_770


def test_shapes() -> None:
    assert MLP(MLPConfig(5, 3))(torch.zeros(2, 5)).shape == (2, 3)
    emotions, age, country = Multitask(MultitaskConfig(5))(torch.zeros(2, 5))
    assert (emotions.shape, age.shape, country.shape) == ((2, 10), (2,), (2, 4))


def test_weights_of_the_losses() -> None:
    """At the optimum of the log variance for fixed losses, exp(v) is the loss."""
    model = Multitask(MultitaskConfig(5))
    losses = torch.tensor([0.5, 2.0, 8.0])
    with torch.no_grad():
        model.log_variance.copy_(losses.log())
    model.weigh(losses).backward()
    assert model.log_variance.grad is not None
    torch.testing.assert_close(model.log_variance.grad, torch.zeros(3), atol=1e-6, rtol=0)
    assert float(model.weigh(losses)) == pytest.approx(1.5 + 0.5 * float(losses.log().sum()), rel=1e-5)
