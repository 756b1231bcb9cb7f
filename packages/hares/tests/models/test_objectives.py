"""The contrastive loss in closed form and by loops; projections of several processes."""

import math

import pytest
import torch
from torch.nn import functional as F

from hares.models.objectives import Pretrainer, cola_losses, contrastive_losses, interleave
from hares.presets import PRESETS

TAU = 0.1


def test_equal_projections() -> None:
    z = F.normalize(torch.ones(8, 5, dtype=torch.float64), dim=1)
    torch.testing.assert_close(contrastive_losses(z, z, 0, 4, TAU), torch.full((8,), math.log(7), dtype=torch.float64))


def test_orthogonal_pairs() -> None:
    z = interleave(torch.eye(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64))
    expected = math.log(1 + 6 * math.exp(-1 / TAU))
    torch.testing.assert_close(contrastive_losses(z, z, 0, 4, TAU), torch.full((8,), expected, dtype=torch.float64))


def test_loops() -> None:
    z = F.normalize(torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=1)
    losses = contrastive_losses(z, z, 0, 3, TAU)
    for i in range(6):
        partner = i + 1 if i % 2 == 0 else i - 1
        denominator = sum(math.exp(float(z[i] @ z[j]) / TAU) for j in range(6) if j != i)
        assert losses[i].item() == pytest.approx(-float(z[i] @ z[partner]) / TAU + math.log(denominator))


def test_parts_of_processes_are_the_whole() -> None:
    z = F.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    parts = [contrastive_losses(z[first : first + 4], z, first, 4, TAU) for first in (0, 4)]
    torch.testing.assert_close(torch.cat(parts), contrastive_losses(z, z, 0, 4, TAU))


def test_low_precision_is_raised() -> None:
    z = F.normalize(torch.randn(8, 4), dim=1).bfloat16()
    assert contrastive_losses(z, z, 0, 4, TAU).dtype == torch.float32


def test_one_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        contrastive_losses(torch.ones(2, 3), torch.ones(2, 3), 0, 1, TAU)


def test_cola() -> None:
    a, b, w = (torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    expected = -torch.log_softmax(a @ w @ b.T, 1).diagonal()
    torch.testing.assert_close(cola_losses(a, b, w, 0), expected)
    torch.testing.assert_close(cola_losses(a[1:], b, w, 1), expected[1:])


def test_projector_has_three_hidden_layers() -> None:
    head = Pretrainer(PRESETS["smoke"].config).head
    assert [tuple(p.shape) for p in head.parameters() if p.ndim == 2] == [(32, 432), (32, 32), (32, 32), (16, 32)]
