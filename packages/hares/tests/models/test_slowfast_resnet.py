"""The size of the code of Kazakos et al., and the four normalisations."""

import pytest
import torch

from hares.config import EncoderConfig, Norm
from hares.models.slowfast_resnet import SlowFastResNet50

SMALL = EncoderConfig(architecture="slowfast-resnet50", width=8, depths=(1, 1, 1, 1))


def test_parameters() -> None:
    with torch.device("meta"):
        network = SlowFastResNet50(EncoderConfig(architecture="slowfast-resnet50", width=64, depths=(3, 4, 6, 3)))
    assert sum(parameter.numel() for parameter in network.parameters()) == 25_967_208
    assert network.embed_dim == 2304


@pytest.mark.parametrize("norm", ["batch", "none", "layer", "instance"])
@pytest.mark.parametrize("frames", [16, 61])
def test_normalisations(norm: Norm, frames: int) -> None:
    network = SlowFastResNet50(EncoderConfig(architecture="slowfast-resnet50", width=8, depths=(1, 1, 1, 1), norm=norm))
    x = torch.randn(3, 1, frames, 32)
    whole = network.train()(x)
    assert whole.shape == (3, network.embed_dim)
    assert whole.isfinite().all()
    # Only the batch's normalisation makes an example depend on others.
    assert torch.allclose(network(x[:2]), whole[:2], atol=1e-5) == (norm != "batch")
