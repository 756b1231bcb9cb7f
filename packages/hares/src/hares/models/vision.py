"""ResNet50 (He et al., 2016) and EfficientNet-B0 (Tan and Le, 2019) with one input channel, up to pooled features."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hares.config import EncoderConfig


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, eps: float = 1e-5
) -> list[nn.Module]:
    """A convolution without bias and its batch normalisation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, eps=eps)]


class ResidualBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions to four times the width; the stride is that of the 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.branch = nn.Sequential(
            *conv_norm(inputs, width, 1),
            nn.ReLU(),
            *conv_norm(width, width, 3, stride),
            nn.ReLU(),
            *conv_norm(width, outputs, 1),
        )
        self.shortcut = nn.Sequential(*(conv_norm(inputs, outputs, 1, stride) if inputs != outputs else []))

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t2 f2"]:
        """Shortcut plus branch."""
        return (self.shortcut(x) + self.branch(x)).relu()


class ResNet50(nn.Module):
    """Features of width 2048, the mean over time and frequency."""

    def __init__(self, _: EncoderConfig) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = 64
        for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for index in range(depth):
                blocks.append(ResidualBlock(inputs, width, stride if index == 0 else 1))
                inputs = 4 * width
        self.layers = nn.Sequential(*conv_norm(1, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks)
        self.embed_dim = inputs

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        return self.layers(x).mean((-2, -1))


class InvertedBottleneck(nn.Module):
    """Expansion, depthwise convolution, gates of the channels, projection; with a shortcut where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop_rate: float) -> None:
        super().__init__()
        width, squeezed = inputs * expansion, max(1, inputs // 4)
        self.drop_rate, self.residual = drop_rate, stride == 1 and inputs == outputs
        self.expand = nn.Sequential(*([*conv_norm(inputs, width, 1), nn.SiLU()] if expansion > 1 else []))
        self.depthwise = nn.Sequential(*conv_norm(width, width, kernel, stride, groups=width), nn.SiLU())
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, width, 1),
            nn.Sigmoid(),
        )
        self.project = nn.Sequential(*conv_norm(width, outputs, 1))

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t2 f2"]:
        """The block; in training, the branch of an example is dropped at `drop_rate`."""
        hidden = self.depthwise(self.expand(x))
        branch = self.project(hidden * self.gates(hidden))
        if not self.residual:
            return branch
        if self.training and self.drop_rate:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_rate
            branch = branch * kept / (1.0 - self.drop_rate)
        return x + branch


# (expansion, kernel, stride, channels, blocks) of the stages of EfficientNet-B0 (Tan and Le, 2019, table 1).
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class EfficientNetB0(nn.Module):
    """Features of width 1280, the mean over time and frequency."""

    def __init__(self, _: EncoderConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = [*conv_norm(1, 32, 3, 2), nn.SiLU()]
        inputs, index, total = 32, 0, sum(stage[-1] for stage in _STAGES)
        for expansion, kernel, stride, outputs, depth in _STAGES:
            for block in range(depth):
                drop_rate = 0.2 * index / total
                layers.append(
                    InvertedBottleneck(inputs, outputs, kernel, stride if block == 0 else 1, expansion, drop_rate)
                )
                inputs, index = outputs, index + 1
        self.layers = nn.Sequential(*layers, *conv_norm(inputs, 1280, 1), nn.SiLU())
        self.embed_dim = 1280

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        return self.layers(x).mean((-2, -1))
