"""Convolutions around the middle: what passes where the middle gives nothing."""

import torch

from imagen3.config import DenoiserConfig
from imagen3.models.uvit import UViT
from imagen3.text.encoder import TextFeatures

TINY = DenoiserConfig(width=32, depth=1, heads=2, text_dim=6, pooled_dim=5, kind="uvit")


def test_without_the_middle_the_network_is_local() -> None:
    torch.manual_seed(0)
    model = UViT(TINY).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    text = TextFeatures(torch.randn(1, 2, 6), torch.ones(1, 2, dtype=torch.bool), torch.randn(1, 5))
    z, t = torch.randn(1, 4, 4, 32), torch.tensor([0.5])
    changed = z.clone()
    changed[..., 0] += 1
    far = (model(changed, t, text) - model(z, t, text))[..., -1].abs().max()
    assert far > 1e-5
    with torch.no_grad():
        model.up.weight.zero_()
    # Ten convolutions of 3 x 3 see ten columns to each side.
    moved = (model(changed, t, text) - model(z, t, text)).abs().amax(dim=(0, 1, 2))
    assert moved[0] > 1e-3
    assert moved[12:].max() < 1e-6
