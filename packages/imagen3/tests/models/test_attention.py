"""Both paths of attention agree, with their gradients."""

import pytest
import torch
import torch.nn.functional as F

from imagen3.models import attention
from imagen3.models.attention import attend


@pytest.mark.parametrize("masked", [False, True])
def test_paths_agree(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(3, 2, 7, 8, generator=generator, requires_grad=True) for _ in range(3))
    mask = (torch.arange(7) < torch.tensor([[7], [3], [1]]))[:, None, None] if masked else None
    found = []
    for longest in (512, 0):
        monkeypatch.setattr(attention, "SHORT", longest)
        values = attend(q, k, v, mask)
        found.append((values, *torch.autograd.grad(values.square().sum(), (q, k, v))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_gradcheck() -> None:
    q, k, v = (torch.randn(1, 1, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(3))
    mask = torch.tensor([True, False, True])[None, None, None]
    assert torch.autograd.gradcheck(lambda q, k, v: attend(q, k, v, mask), (q, k, v))


def test_only_visible_positions_count() -> None:
    q, k, v = (torch.randn(1, 1, 4, 2) for _ in range(3))
    mask = torch.tensor([True, True, False, False])[None, None, None]
    expected = F.softmax(q @ k[:, :, :2].transpose(2, 3) / 2**0.5, dim=-1) @ v[:, :, :2]
    torch.testing.assert_close(attend(q, k, v, mask), expected)
