"""Views are mixed in the chosen domain; gradients with and without cached rows are equal."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from onepaper.errors import UsageError
from onepaper.torch.accelerator import Accelerator

from hares.config import CONTRASTIVE, CpcConfig, Objective, TrainConfig
from hares.losses import build_model, make_byol_view, make_loss, make_views
from hares.presets import PRESETS
from hares.spectrograms.log_mel import log_of_power, mel_power, standardize

SMOKE: TrainConfig = replace(
    PRESETS["smoke"].config, batch_size=4, seconds=0.3, cpc=CpcConfig(frames=16, hop=4, context=8)
)


@pytest.mark.parametrize("domain", ["power", "log", "none"])
def test_views_are_mixed_where_the_configuration_says(domain: Literal["power", "log", "none"]) -> None:
    config = replace(SMOKE, mix_domain=domain)
    front_end = config.encoder.front_end
    samples = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    views, partners, ratios = make_views(samples, config, torch.Generator().manual_seed(1))
    power = mel_power(samples, front_end)
    weights = ratios[:, None, None]
    if domain == "power":
        expected = log_of_power(weights * power + (1 - weights) * power[partners], front_end)
    else:
        plain = log_of_power(power, front_end)
        expected = weights * plain + (1 - weights) * plain[partners]
    torch.testing.assert_close(views, standardize(expected))
    assert (domain == "none") == bool((ratios == 1).all())


def test_views_of_byol_repeat_and_differ() -> None:
    log_mel = torch.randn(3, 40, 64, generator=torch.Generator().manual_seed(0))
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    first, same, other = (make_byol_view(log_mel, SMOKE, generator) for generator in generators)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    torch.testing.assert_close(first.mean((1, 2)), torch.zeros(3), atol=1e-5, rtol=0)


def _gradients(config: TrainConfig) -> tuple[float, torch.Tensor, int]:
    """Loss, gradient, and bytes that the graph keeps until the backward pass."""
    torch.manual_seed(0)
    model = build_model(config).train()
    for parameter in model.parameters():  # with the skip gains of the initialisation, no branch has an influence
        parameter.data += 0.05 * torch.randn(parameter.shape)
    crops = torch.randn(2, 6, 4800, generator=torch.Generator().manual_seed(1))
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        batch = (crops[0], crops[1], torch.zeros(6))
        total, _ = make_loss(config, Accelerator(), 0)(model, batch, torch.Generator().manual_seed(2))
    before = sum(kept.values())
    total.backward()
    grads = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    return float(total.detach()), torch.cat(grads), before


@pytest.mark.parametrize("objective", CONTRASTIVE)
def test_cached_rows_give_the_same_gradients(objective: Objective) -> None:
    config = replace(SMOKE, objective=objective, encoder=replace(SMOKE.encoder, stochastic_depth=0.0))
    loss, gradient, kept = _gradients(config)
    cached_loss, cached_gradient, cached_kept = _gradients(replace(config, cached_rows=2))
    assert cached_loss == pytest.approx(loss, rel=1e-6)
    assert float((cached_gradient - gradient).norm() / gradient.norm()) < 1e-5
    assert cached_kept < kept / 5


def test_cached_rows_are_for_contrastive_objectives() -> None:
    with pytest.raises(UsageError, match="cached_rows is for simclr, cola, cpc, not for byol"):
        replace(SMOKE, objective="byol", cached_rows=2)


def test_crops_too_short_to_predict_are_refused() -> None:
    with pytest.raises(UsageError, match="expected at least 80 to predict 3 ahead"):
        replace(SMOKE, objective="cpc", cpc=CpcConfig())
