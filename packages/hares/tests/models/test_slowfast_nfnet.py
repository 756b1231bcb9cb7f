"""Shapes and parameters of the official code, and the alignment of the two streams."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from hares.config import EncoderConfig
from hares.models.encoder import Encoder
from hares.models.slowfast_nfnet import NFNet, SlowFastNFNet
from hares.presets import TINY


@pytest.mark.parametrize(
    ("config", "count", "width"),
    [
        (EncoderConfig(), 62_970_654, 3456),
        (EncoderConfig(final_conv=False), 58_171_422, 1728),
        (EncoderConfig(architecture="slow-nfnet"), 56_636_828, 3072),
        (EncoderConfig(architecture="fast-nfnet"), 899_842, 384),
    ],
)
def test_parameters(config: EncoderConfig, count: int, width: int) -> None:
    with torch.device("meta"):
        encoder = Encoder(config)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == count
    assert encoder.embed_dim == width


def test_shapes_of_stages() -> None:
    with torch.device("meta"):
        slow = NFNet(EncoderConfig(), slow=True, fused=(64, 256, 512, 1024))
        x = slow.apply_stem(torch.empty(1, 1, 100, 128))
        shapes = []
        for stage, fused in enumerate((64, 256, 512, 1024)):
            x = slow.apply_stage(stage, torch.cat([x, x.new_empty(1, fused, *x.shape[2:])], 1))
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(256, 25, 32), (512, 25, 16), (1536, 25, 8), (1536, 25, 4)]


def test_betas() -> None:
    with torch.device("meta"):
        net = NFNet(EncoderConfig(), slow=True)
    betas = [block.beta for stage in net.stages for block in stage]  # pyright: ignore
    for index, squares in {0: 1.0, 1: 1.04, 2: 1.04, 3: 1.08, 4: 1.04, 9: 1.24}.items():
        assert betas[index] == pytest.approx(squares**-0.5)
    rates = [block.drop_rate for stage in net.stages for block in stage]  # pyright: ignore
    assert rates[0] == 0
    assert rates[11] == pytest.approx(0.1 * 11 / 12)


@pytest.mark.parametrize("frames", [16, 61, 98, 301])
def test_streams_have_equal_frames(frames: int) -> None:
    config = replace(TINY, depths=(1, 1, 1, 1))
    with torch.device("meta"):
        assert SlowFastNFNet(config)(torch.empty(1, 1, frames, 32)).shape == (1, 432)


# Padding SAME begins with one of the two elements: windows of frames 1 to 3 and 4 to 6.
@pytest.mark.parametrize(("slow_input", "expected"), [("maxpool", [-1.0, -4.0]), ("stride", [-1.0, -5.0])])
def test_slow_frames(slow_input: str, expected: list[float]) -> None:
    network = SlowFastNFNet(replace(TINY, slow_input=slow_input))  # type: ignore[arg-type]
    x = -torch.arange(1.0, 7.0).reshape(1, 1, 6, 1)
    assert network._slow_frames(x).flatten().tolist() == expected


def test_fast_features_come_first(tiny: Encoder) -> None:
    network = tiny.network
    assert isinstance(network, SlowFastNFNet)
    x = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = network(x)
        network.slow.final_conv.bias.add_(1.0)  # type: ignore[union-attr]
        after = network(x)
        network.slow.final_conv.bias.sub_(1.0)  # type: ignore[union-attr]
    assert torch.equal(before[:, :48], after[:, :48])
    assert not torch.equal(before[:, 48:], after[:, 48:])


def test_activations_without_a_scale(tiny: Encoder) -> None:
    """Fusion and head have the GELU without its factor, in its tanh form (official code, slowfast_nfnet.py)."""
    network = tiny.network
    assert isinstance(network, SlowFastNFNet)
    seen: list[torch.Tensor] = []
    block, conv = network.slow.stages[0][0], network.fast.final_conv  # type: ignore[index]
    hooks = (
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])),
        conv.register_forward_hook(lambda _, inputs, output: seen.append(output)),  # type: ignore[union-attr]
    )
    x = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        embedding = network(x)
        fused = F.gelu(network.fuse[0](network.fast.apply_stem(x)), approximate="tanh")
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(seen[0][:, -fused.shape[1] :], fused)
    pooled = F.gelu(seen[1], approximate="tanh").mean((-2, -1))
    torch.testing.assert_close(embedding[:, : pooled.shape[1]], pooled)
