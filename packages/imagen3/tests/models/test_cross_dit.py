"""Linear attention against its quadratic form, and the inputs of cross-dit."""

from dataclasses import replace

import torch

from imagen3.config import DenoiserConfig
from imagen3.models.cross_dit import CrossDiT, MixMLP, linear_attention
from imagen3.text.encoder import TextFeatures


def test_linear_attention_is_a_weighted_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 7, 8, generator=generator)
    weights = q.relu() @ k.relu().transpose(2, 3)
    expected = weights / weights.sum(-1, keepdim=True) @ v
    torch.testing.assert_close(linear_attention(q, k, v), expected, rtol=1e-4, atol=1e-5)
    constant = torch.ones_like(v)
    torch.testing.assert_close(linear_attention(q, k, constant), constant)


def test_rotation_depends_on_differences_of_positions() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, 1, 5, 8, generator=generator)
    angles = torch.rand(5, 4, generator=generator)
    torch.testing.assert_close(linear_attention(q, k, v, angles), linear_attention(q, k, v, angles + 1.3))
    assert (linear_attention(q, k, v, angles) - linear_attention(q, k, v)).abs().max() > 1e-3


def test_mlp_mixes_neighbours() -> None:
    torch.manual_seed(0)
    mlp, x = MixMLP(4), torch.randn(1, 12, 4)
    changed = x.clone()
    changed[0, 0] += 1  # the upper left of 3 rows of 4
    moved = (mlp(changed, 3) - mlp(x, 3)).abs().sum(-1)[0].reshape(3, 4) > 1e-6
    assert moved[:2, :2].all()
    assert not moved[2].any()
    assert not moved[:, 2:].any()


def test_size_is_an_input() -> None:
    """Of a table that spans the same for all sizes, only the size differs."""
    config = DenoiserConfig(
        width=96, depth=1, heads=2, text_dim=6, kind="cross-dit", size_input=True, positions="table", table_size=4
    )
    text = TextFeatures(torch.randn(1, 2, 6), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 1))
    found = []
    for given in (config, replace(config, size_input=False)):
        torch.manual_seed(0)
        model = CrossDiT(given).eval()
        for name, parameter in sorted(model.named_parameters()):
            if not name.startswith(("size_in", "ratio_in")):
                torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(len(name)))
        found.append(model(torch.ones(1, 4, 4, 8), torch.tensor([0.5]), text))
    assert (found[0] - found[1]).abs().max() > 1e-4
