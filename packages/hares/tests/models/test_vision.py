"""Sizes as published, with one input channel instead of three."""

import torch

from hares.config import EncoderConfig
from hares.models.vision import EfficientNetB0, ResNet50


def test_parameters() -> None:
    config = EncoderConfig()
    with torch.device("meta"):
        networks = ResNet50(config), EfficientNetB0(config)
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    # torchvision's 25,557,032 and 5,288,548 less their classifiers and two input channels.
    assert counts[0] == 25_557_032 - 2049 * 1000 - 2 * 49 * 64
    assert counts[1] == 5_288_548 - 1281 * 1000 - 2 * 9 * 32


def test_embeddings() -> None:
    for network in (ResNet50(EncoderConfig()), EfficientNetB0(EncoderConfig())):
        assert network(torch.randn(2, 1, 32, 32)).shape == (2, network.embed_dim)
        assert network.eval()(torch.randn(1, 1, 16, 40)).shape == (1, network.embed_dim)
