"""The discriminator: one score a patch, pictures apart, and it learns to separate blurred pictures from real ones."""

import torch
from torch import nn

from imagen3.data.pictures import Pictures
from imagen3.models.discriminator import Adversarial, PatchDiscriminator
from imagen3.sampling import from_bytes


def test_scores_of_patches() -> None:
    torch.manual_seed(0)
    model = PatchDiscriminator(8, 3)
    pictures = torch.randn(2, 3, 32, 48)
    scores = model(pictures)
    assert scores.shape == (2, 1, 4, 6)
    torch.testing.assert_close(model(pictures[1:]), scores[1:])
    assert sum(value.numel() for value in model.parameters()) == (
        (48 * 8 + 8) + (16 * 8 * 16 + 16 + 32) + (16 * 16 * 32 + 32 + 64) + (9 * 32 + 1)
    )


def test_it_learns(pictures: Pictures) -> None:
    torch.manual_seed(0)
    model = Adversarial(nn.Identity(), PatchDiscriminator(8, 2))
    real = from_bytes(pictures.pixels[:16])
    blurred = nn.functional.avg_pool2d(real, 5, stride=1, padding=2)
    optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model.hinge(real, blurred).mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert float(model.hinge(real, blurred).mean()) < 0.6
        assert float(model.deceived(real).mean()) < float(model.deceived(blurred).mean())
