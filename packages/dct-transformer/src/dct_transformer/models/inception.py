"""The Inception network of FID: InceptionV3 as TensorFlow published it in 2015, with the names of its PyTorch ports.

Its weights are files of their own (`pt_inception-2015-12-05` of pytorch-fid and torch-fidelity); it differs from the
network of torchvision in its pooling layers and its 1,008 classes.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

POOLED, SPATIAL_CHANNELS, CLASSES = 2048, 7, 1008
EPSILON = 1e-3

# A convolution: output channels, height and width of the kernel, stride and whether it is padded to keep the size.
Layer = tuple[int, tuple[int, int], int, bool]


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, layer: Layer) -> None:
        super().__init__()
        outputs, kernel, stride, padded = layer
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, D, H', W']."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Branches(nn.Module):
    """Chains of convolutions of the same input, concatenated, and last a pooling branch.

    Args:
        inputs: channels.
        chains: names with layers; a dictionary at the end of a chain has layers side by side.
        pool: mean (of the pixels within the image) or max, and at a stride of 2 without padding.
        pooled: output channels of the convolution after pooling; 0: none.
    """

    def __init__(self, inputs: int, chains: list[dict[str, Any]], pool: str, pooled: int) -> None:
        super().__init__()
        self.pool, self.chains = pool, [list(chain) for chain in chains]
        for chain in chains:
            width = inputs
            for name, layer in chain.items():
                if isinstance(layer, dict):
                    for inner, own in layer.items():
                        self.add_module(inner, Convolution(width, own))
                else:
                    self.add_module(name, Convolution(width, layer))
                    width = layer[0]
        self.splits = {
            name: list(layer) for chain in chains for name, layer in chain.items() if isinstance(layer, dict)
        }
        self.branch_pool = Convolution(inputs, (pooled, (1, 1), 1, False)) if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        """Branches in their order."""
        found = []
        for chain in self.chains:
            y = x
            for name in chain:
                split = self.splits.get(name)
                y = torch.cat([self.get_submodule(part)(y) for part in split], 1) if split else getattr(self, name)(y)
            found.append(y)
        if self.pool == "reduce":
            y = F.max_pool2d(x, 3, 2)
        elif self.pool == "max":
            y = F.max_pool2d(x, 3, 1, 1)
        else:
            y = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.cat([*found, y if self.branch_pool is None else self.branch_pool(y)], 1)


def _conv(outputs: int, height: int = 1, width: int | None = None, stride: int = 1, *, padded: bool = True) -> Layer:
    return outputs, (height, height if width is None else width), stride, padded


def _fine(inputs: int, pooled: int) -> Branches:
    """Blocks of 35 x 35 cells."""
    double = {"branch3x3dbl_1": _conv(64), "branch3x3dbl_2": _conv(96, 3), "branch3x3dbl_3": _conv(96, 3)}
    five = {"branch5x5_1": _conv(48), "branch5x5_2": _conv(64, 5)}
    return Branches(inputs, [{"branch1x1": _conv(64)}, five, double], "mean", pooled)


def _middle(width: int) -> Branches:
    """Blocks of 17 x 17 cells."""
    seven = {"branch7x7_1": _conv(width), "branch7x7_2": _conv(width, 1, 7), "branch7x7_3": _conv(192, 7, 1)}
    double = {"branch7x7dbl_1": _conv(width)} | {
        f"branch7x7dbl_{index}": _conv(192 if index == 5 else width, *((7, 1) if index % 2 == 0 else (1, 7)))
        for index in (2, 3, 4, 5)
    }
    return Branches(768, [{"branch1x1": _conv(192)}, seven, double], "mean", 192)


def _coarse(inputs: int, pool: str) -> Branches:
    """Blocks of 8 x 8 cells; the last one pools by the maximum."""
    three = {"branch3x3_1": _conv(384), "split": {"branch3x3_2a": _conv(384, 1, 3), "branch3x3_2b": _conv(384, 3, 1)}}
    double = {
        "branch3x3dbl_1": _conv(448),
        "branch3x3dbl_2": _conv(384, 3),
        "double": {"branch3x3dbl_3a": _conv(384, 1, 3), "branch3x3dbl_3b": _conv(384, 3, 1)},
    }
    return Branches(inputs, [{"branch1x1": _conv(320)}, three, double], pool, 192)


class InceptionOutput(NamedTuple):
    """The two layers that FID and sFID read."""

    pooled: Float[Tensor, "batch 2048"]
    """means over the cells of the last layer, `pool_3`"""
    spatial: Float[Tensor, "batch 2023"]
    """the first 7 channels of `mixed_6/conv`, 17 x 17 cells"""


class Inception(nn.Module):
    """The network up to its last pooling layer; the classifier is only there to be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, _conv(32, 3, stride=2, padded=False))
        self.Conv2d_2a_3x3 = Convolution(32, _conv(32, 3, padded=False))
        self.Conv2d_2b_3x3 = Convolution(32, _conv(64, 3))
        self.Conv2d_3b_1x1 = Convolution(64, _conv(80))
        self.Conv2d_4a_3x3 = Convolution(80, _conv(192, 3, padded=False))
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _fine(192, 32), _fine(256, 64), _fine(288, 64)
        reduced = {"branch3x3": _conv(384, 3, stride=2, padded=False)}
        double = {
            "branch3x3dbl_1": _conv(64),
            "branch3x3dbl_2": _conv(96, 3),
            "branch3x3dbl_3": _conv(96, 3, stride=2, padded=False),
        }
        self.Mixed_6a = Branches(288, [reduced, double], "reduce", 0)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(_middle, (128, 160, 160, 192))
        reduced = {"branch3x3_1": _conv(192), "branch3x3_2": _conv(320, 3, stride=2, padded=False)}
        double = {
            "branch7x7x3_1": _conv(192),
            "branch7x7x3_2": _conv(192, 1, 7),
            "branch7x7x3_3": _conv(192, 7, 1),
            "branch7x7x3_4": _conv(192, 3, stride=2, padded=False),
        }
        self.Mixed_7a = Branches(768, [reduced, double], "reduce", 0)
        self.Mixed_7b, self.Mixed_7c = _coarse(1280, "mean"), _coarse(2048, "max")
        self.fc = nn.Linear(POOLED, CLASSES)

    def forward(self, x: Float[Tensor, "batch 3 299 299"]) -> InceptionOutput:
        """Features of pixels that were scaled to (value - 128) / 128."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        spatial = self.Mixed_6d.get_submodule("branch1x1")(x)[:, :SPATIAL_CHANNELS].flatten(1)
        x = self.Mixed_7a(self.Mixed_6e(self.Mixed_6d(x)))
        return InceptionOutput(self.Mixed_7c(self.Mixed_7b(x)).mean((2, 3)), spatial)
