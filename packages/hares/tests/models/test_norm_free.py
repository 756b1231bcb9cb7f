"""Blocks against loops in numpy, and the properties of their definition."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from hares.models.norm_free import NFBlock, WSConv2d, average_pool_same, gelu, pad_same, same_padding, scaled_gelu


def _conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: tuple[int, int], groups: int) -> np.ndarray:
    """Convolution with SAME padding by loops; x (c, t, f)."""
    outputs, per_group, kt, kf = weight.shape
    size = [-(-n // s) for n, s in zip(x.shape[1:], stride, strict=True)]
    total = [max((m - 1) * s + k - n, 0) for m, s, k, n in zip(size, stride, (kt, kf), x.shape[1:], strict=True)]
    padded = np.pad(x, [(0, 0), *((extra // 2, extra - extra // 2) for extra in total)])
    out = np.zeros((outputs, *size))
    for o in range(outputs):
        first = o // (outputs // groups) * per_group
        for t in range(size[0]):
            for f in range(size[1]):
                window = padded[first : first + per_group, t * stride[0] :, f * stride[1] :][:, :kt, :kf]
                out[o, t, f] = (window * weight[o]).sum() + bias[o]
    return out


def _act(x: np.ndarray) -> np.ndarray:
    return 1.7015043497085571 * 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _ws(conv: WSConv2d, x: np.ndarray) -> np.ndarray:
    weight = conv.weight.detach().numpy().astype(np.float64)
    flat = weight.reshape(len(weight), -1)
    scale = conv.gain.detach().numpy() / np.sqrt(np.maximum(flat.shape[1] * flat.var(1), 1e-4))
    hat = (weight - flat.mean(1).reshape(-1, 1, 1, 1)) * scale.reshape(-1, 1, 1, 1)
    return _conv(x, hat, conv.bias.detach().numpy(), conv.stride, conv.groups)


def _block(block: NFBlock, x: np.ndarray) -> np.ndarray:
    o = _act(x) * block.beta
    shortcut = x
    if block.conv_shortcut is not None:
        pooled = o
        if block.stride == (1, 2):
            columns = [o[:, :, f : f + 2].mean(-1) for f in range(0, o.shape[2], 2)]
            pooled = np.stack(columns, -1)
        shortcut = _ws(block.conv_shortcut, pooled)
    h = _ws(block.conv0, o)
    for conv in (block.conv1, block.conv1b, block.conv2):
        h = _ws(conv, _act(h))
    squeeze, excite = block.squeeze_excite.squeeze, block.squeeze_excite.excite
    hidden = np.maximum(0, squeeze.weight.detach().numpy() @ h.mean((1, 2)) + squeeze.bias.detach().numpy())
    gate = 1 / (1 + np.exp(-(excite.weight.detach().numpy() @ hidden + excite.bias.detach().numpy())))
    return 0.2 * block.skip_gain.item() * 2 * gate[:, None, None] * h + shortcut


@pytest.mark.parametrize(
    ("inputs", "stride", "projects", "shape"),
    [(8, (1, 1), False, (5, 4)), (6, (1, 2), True, (4, 5)), (6, (1, 2), True, (5, 6)), (6, (1, 1), True, (3, 3))],
)
def test_block_is_its_definition(inputs: int, stride: tuple[int, int], projects: bool, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    block = NFBlock(inputs, 8, (3, 1), stride, 2, beta=0.7, projects=projects)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
        x = torch.randn(1, inputs, *shape)
        found = block(x)[0].numpy()
    np.testing.assert_allclose(found, _block(block, x[0].numpy().astype(np.float64)), atol=2e-5)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (4, 1)])
def test_convolution_pads_at_the_end(stride: tuple[int, int]) -> None:
    torch.manual_seed(1)
    conv = WSConv2d(4, 6, (7, 3), stride, 2)
    x = torch.randn(1, 4, 10, 7)
    np.testing.assert_allclose(conv(x)[0].detach().numpy(), _ws(conv, x[0].numpy().astype(np.float64)), atol=1e-5)
    assert same_padding(10, 3, 2) == (0, 1)


def test_standardized_weights() -> None:
    torch.manual_seed(0)
    conv = WSConv2d(8, 5, (3, 3))
    hat = conv.standardized_weight().flatten(1)
    torch.testing.assert_close(hat.mean(1), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(hat.var(1, correction=0), torch.full((5,), 1 / 72), rtol=1e-4, atol=0)
    before = conv(x := torch.randn(1, 8, 4, 4)).detach()
    with torch.no_grad():
        conv.weight.copy_(10 * conv.weight + 3)
    torch.testing.assert_close(conv(x), before, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        conv.weight.fill_(2.0)
    assert conv(x).abs().max() == 0


def test_scaled_gelu_keeps_the_variance() -> None:
    def moment(power: int) -> float:
        return integrate.quad(lambda v: scaled_gelu(torch.tensor(v)).item() ** power * stats.norm.pdf(v), -8, 8)[0]

    assert abs(moment(2) - moment(1) ** 2 - 1) < 0.01
    x = torch.linspace(-3, 3, 101)
    assert (gelu(x) - torch.nn.functional.gelu(x)).abs().max() > 1e-4


def test_a_new_block_is_its_shortcut_and_drops_nothing_visible() -> None:
    block = NFBlock(8, 8, (3, 1), (1, 1), 2, beta=1.0, projects=False, drop_rate=0.5)
    x = torch.randn(3, 8, 5, 4)
    assert torch.equal(block(x), x)
    with torch.no_grad():
        block.skip_gain.fill_(1.0)
    kept = (block.train()(x.repeat(40, 1, 1, 1)) != x.repeat(40, 1, 1, 1)).flatten(1).any(1).float().mean()
    assert 0.3 < kept < 0.7
    assert torch.equal(block.eval()(x), block(x))


def test_pooling_leaves_padding_out() -> None:
    assert torch.equal(average_pool_same(torch.ones(1, 1, 3, 5), (1, 2)), torch.ones(1, 1, 3, 3))
    assert pad_same(torch.zeros(1, 1, 5, 5), (4, 1), (4, 1)).shape == (1, 1, 8, 5)
