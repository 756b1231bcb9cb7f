"""Codes are whole numbers of the vocabulary, through which gradients pass."""

import numpy as np
import torch

from dct_transformer.models.code_autoencoder import CodeAutoencoder


def test_codes_and_back(picture: np.ndarray) -> None:
    torch.manual_seed(0)
    model = CodeAutoencoder(16, 16, (4, 3), 8)
    assert (model.vocabulary, model.length) == (12, 16)
    pictures = torch.from_numpy(np.stack([picture, 255 - picture]))
    with torch.no_grad():
        levels = model.indices(10 * pictures)
        assert torch.equal(levels, levels.round())
        assert (levels >= 0).all()
        assert (levels.amax((0, 2, 3)) <= torch.tensor([3.0, 2.0])).all()
        tokens = model.encode(picture)
        levels = model.indices(pictures[:1])
        np.testing.assert_array_equal(tokens, (3 * levels[0, 0] + levels[0, 1]).flatten().numpy())
        pixels = 127.5 * model.pixels(levels)[0].permute(1, 2, 0).numpy() + 127.5
    np.testing.assert_array_equal(model.decode(tokens), np.clip(np.rint(pixels), 0, 255))
    model(pictures).sum().backward()
    gradient = model.encoder[0].weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
