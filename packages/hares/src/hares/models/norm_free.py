r"""Blocks of normaliser-free networks with (time, frequency) kernels, as in the official code, base.py.

Scaled activations have unit variance for standard normal input: $\gamma\,\mathrm{gelu}(x)$ with the tanh form of the
GELU. Convolutions pad as XLA's SAME: an odd number of padded elements has the larger part at the end.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

GAMMA_GELU = 1.7015043497085571
_SMALLEST_VARIANCE = 1e-4
_SQUEEZE_RATIO, _BOTTLENECK_RATIO = 0.5, 0.5

Pair = tuple[int, int]


def gelu(x: Tensor) -> Tensor:
    """The GELU in its tanh approximation, the default of JAX."""
    return F.gelu(x, approximate="tanh")


def scaled_gelu(x: Tensor) -> Tensor:
    """GELU of unit variance for standard normal input."""
    return gelu(x) * GAMMA_GELU


def same_padding(size: int, kernel: int, stride: int) -> Pair:
    """Elements to pad before and after, so that the output has ceil(size / stride)."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(x: Float[Tensor, "b c t f"], kernel: Pair, stride: Pair, value: float = 0.0) -> Float[Tensor, "b c t2 f2"]:
    """The input padded for a window of `kernel` and `stride`."""
    before_t, after_t = same_padding(x.shape[-2], kernel[0], stride[0])
    before_f, after_f = same_padding(x.shape[-1], kernel[1], stride[1])
    padding = (before_f, after_f, before_t, after_t)
    return F.pad(x, padding, value=value) if any(padding) else x


def average_pool_same(x: Float[Tensor, "b c t f"], window: Pair) -> Float[Tensor, "b c t2 f2"]:
    """Means over windows with as large a stride; padded elements do not count."""
    return F.avg_pool2d(x, window, window, ceil_mode=True, count_include_pad=False) if window != (1, 1) else x


class WSConv2d(nn.Module):
    r"""Convolution with standardised weights: $\hat w = g\,(w - \mu) / \sqrt{\max(N \sigma^2, 10^{-4})}$ per output.

    $\mu, \sigma^2$ are mean and biased variance over the N inputs of an output channel. The bias begins at 0, the gain
    g at 1, the weights as normal variates of variance 1/N.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1), groups: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride, self.groups = kernel, stride, groups
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, *kernel))
        self.gain = nn.Parameter(torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=1.0 / math.sqrt(self.weight[0].numel()))

    def standardized_weight(self) -> Float[Tensor, "out in kt kf"]:
        """The weights that convolve."""
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        fan_in = self.weight[0].numel()
        scale = self.gain.reshape(-1, 1, 1, 1) * (fan_in * variance).clamp(min=_SMALLEST_VARIANCE).rsqrt()
        return (self.weight - mean) * scale

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t2 f2"]:
        """The output."""
        x = pad_same(x, self.kernel, self.stride)
        return F.conv2d(x, self.standardized_weight(), self.bias, self.stride, groups=self.groups)


class SqueezeExcite(nn.Module):
    """Gates in [0, 1] of the channels, from their means over time and frequency (Hu et al., 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, int(channels * _SQUEEZE_RATIO))
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        for layer in (self.squeeze, self.excite):
            deviation = 1.0 / math.sqrt(layer.in_features)
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b c 1 1"]:
        """The output."""
        return self.excite(self.squeeze(x.mean((-2, -1))).relu()).sigmoid()[:, :, None, None]


class NFBlock(nn.Module):
    r"""Residual bottleneck: shortcut + alpha * skip_gain * branch(beta * act(x)); skip_gain begins at 0.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        kernel: (time, frequency) of the first grouped convolution; the second is (1, 3).
        stride: of the first grouped convolution and of the shortcut.
        group: channels of a group.
        beta: one over the expected deviation of the input.
        projects: whether the shortcut is a 1x1 convolution; otherwise it is the input.
        drop_rate: probability of dropping the branch of an example in training, without rescaling.
        alpha: weight of the branch.
        activation: applied to the input and between the convolutions.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Pair,
        stride: Pair,
        group: int,
        *,
        beta: float,
        projects: bool,
        drop_rate: float = 0.0,
        alpha: float = 0.2,
        activation: Callable[[Tensor], Tensor] = scaled_gelu,
    ) -> None:
        super().__init__()
        width = group * (int(outputs * _BOTTLENECK_RATIO) // group)
        groups = width // group
        self.stride, self.beta, self.alpha, self.drop_rate = stride, beta, alpha, drop_rate
        self.activation = activation
        self.conv_shortcut = WSConv2d(inputs, outputs, (1, 1)) if projects else None
        self.conv0 = WSConv2d(inputs, width, (1, 1))
        self.conv1 = WSConv2d(width, width, kernel, stride, groups)
        self.conv1b = WSConv2d(width, width, (1, 3), (1, 1), groups)
        self.conv2 = WSConv2d(width, outputs, (1, 1))
        self.squeeze_excite = SqueezeExcite(outputs)
        self.skip_gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t f2"]:
        """The output."""
        activated = self.activation(x) * self.beta
        shortcut = x
        if self.conv_shortcut is not None:
            shortcut = self.conv_shortcut(average_pool_same(activated, self.stride))
        branch = self.conv0(activated)
        for conv in (self.conv1, self.conv1b, self.conv2):
            branch = conv(self.activation(branch))
        branch = 2.0 * self.squeeze_excite(branch) * branch
        if self.training and self.drop_rate:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate
            branch = branch * kept
        return self.alpha * self.skip_gain * branch + shortcut
