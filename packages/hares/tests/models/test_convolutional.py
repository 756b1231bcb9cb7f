"""Sizes by arithmetic, and embeddings of short and long clips."""

import pytest
import torch
from torch import nn

from hares.config import EncoderConfig, FrontEndConfig
from hares.models.convolutional import CNN14, ByolCNN


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("mels", "width", "count"),
    [(64, 512, 600_192), (64, 1024, 1_649_792), (64, 2048, 5_321_856), (80, 2048, 5_584_000)],
)
def test_byol_cnn(mels: int, width: int, count: int) -> None:
    network = ByolCNN(EncoderConfig(architecture="byola-cnn", width=width, front_end=FrontEndConfig(mels=mels)))
    assert _count(network) == count


def test_cnn14() -> None:
    with torch.device("meta"):
        network = CNN14(EncoderConfig(architecture="cnn14", width=64, front_end=FrontEndConfig(mels=64)))
    # Published: 80,753,615 with the linear layers 2048 x 2048 and 2048 x 527.
    assert _count(network) + (2048 + 1) * 2048 + (2048 + 1) * 527 == 80_753_615


@pytest.mark.parametrize("frames", [16, 50])
def test_embeddings(frames: int) -> None:
    config = EncoderConfig(architecture="cnn14", width=2, front_end=FrontEndConfig(mels=32))
    for network in (CNN14(config), ByolCNN(config)):
        assert network.eval()(torch.randn(2, 1, frames, 32)).shape == (2, network.embed_dim)
