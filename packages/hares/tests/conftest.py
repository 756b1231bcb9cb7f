"""Small networks for the tests that only read them."""

import pytest
import torch

from hares.config import EncoderConfig
from hares.models.encoder import Encoder
from hares.presets import TINY


def randomized(config: EncoderConfig, seed: int = 0) -> Encoder:
    """An encoder whose gains, biases and skip gains are random, so that every one has an effect."""
    generator = torch.Generator().manual_seed(seed)
    encoder = Encoder(config)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return encoder.eval()


@pytest.fixture(scope="session")
def tiny() -> Encoder:
    """The laptop's network with random gains."""
    return randomized(TINY)
