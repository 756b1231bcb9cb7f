"""The running normalisation in closed form, the loss, and what the target network sees."""

from dataclasses import replace

import pytest
import torch

from hares.models.byol import Byol, RunningNorm, byol_losses
from hares.presets import PRESETS


def test_running_norm_is_that_of_all_values() -> None:
    norm = RunningNorm()
    parts = [torch.randn(count, generator=torch.Generator().manual_seed(count)) * 3 + count for count in (5, 8, 2)]
    for part in parts:
        norm.update(len(part), part.mean(), part.var(correction=0))
    whole = torch.cat(parts)
    torch.testing.assert_close(norm(whole), (whole - whole.mean()) / whole.std(correction=0))


def test_losses() -> None:
    a = torch.tensor([[1.0, 0.0], [3.0, 4.0], [1.0, 2.0]])
    b = torch.tensor([[2.0, 0.0], [-3.0, -4.0], [-2.0, 1.0]])
    assert byol_losses(a, b).tolist() == pytest.approx([0.0, 4.0, 2.0], abs=1e-6)


def test_the_target_network_has_no_gradient() -> None:
    torch.manual_seed(0)
    model = Byol(replace(PRESETS["smoke"].config, objective="byol"))
    views = torch.randn(4, 32, 64)
    byol_losses(model(views), model.targets(views)).sum().backward()
    assert all(target.grad is None and not target.requires_grad for target, _ in model.pairs())
    assert all(online.grad is not None for _, online in model.pairs())
    # Before the first step, the networks are equal.
    torch.testing.assert_close(model.targets(views), model.head(model.encoder.embed_spectrogram(views)))
