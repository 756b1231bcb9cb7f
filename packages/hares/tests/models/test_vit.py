"""Size by arithmetic; positions matter; longer clips than positions are refused."""

import pytest
import torch
from onepaper.errors import UsageError

from hares.config import EncoderConfig, FrontEndConfig
from hares.models.vit import ViT


def test_parameters() -> None:
    with torch.device("meta"):
        network = ViT(EncoderConfig(architecture="vit", width=768, depths=(3, 3, 3, 3)))
    block = 4 * 768 + 768 * 2304 + 2304 + 768 * 768 + 768 + 2 * 768 * 3072 + 3072 + 768
    expected = 256 * 768 + 768 + 768 + 12 * block + 2 * 768 + 32 * 5 * 768
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_positions() -> None:
    config = EncoderConfig(
        architecture="vit", width=64, depths=(1, 1, 1, 1), max_frames=64, front_end=FrontEndConfig(mels=40)
    )
    network = ViT(config).eval()
    x = torch.randn(1, 1, 40, 40)
    assert network(x).shape == (1, 64)
    x = torch.randn(1, 1, 32, 40)
    swapped = torch.cat([x[:, :, 16:], x[:, :, :16]], 2)
    assert not torch.allclose(network(x), network(swapped), atol=1e-6)
    with pytest.raises(UsageError, match="positions for 64"):
        network(torch.randn(1, 1, 65, 40))
