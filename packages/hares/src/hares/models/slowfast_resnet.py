"""Slowfast ResNet50 for spectrograms (Kazakos et al., 2021), with the normalisations of the paper's table 3."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hares.config import EncoderConfig, Norm

Pair = tuple[int, int]
_SLOWDOWN, _NARROWER = 4, 8
_STAGE_STRIDES: tuple[Pair, ...] = ((1, 1), (1, 2), (1, 2), (1, 2))
_SLOW_TIME_KERNELS, _FAST_TIME_KERNELS = (1, 1, 3, 3), (3, 3, 3, 3)


def normalization(norm: Norm, channels: int) -> nn.Module:
    """batch; layer: over channels, time and frequency; instance: over time and frequency; none. With affine maps."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def conv(inputs: int, outputs: int, kernel: Pair, stride: Pair, norm: Norm) -> nn.Sequential:
    """A convolution and its normalisation; without a normalisation it has a bias."""
    padding = kernel[0] // 2, kernel[1] // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=norm == "none"), normalization(norm, outputs)
    )


class Bottleneck(nn.Module):
    """(k, 1), (1, 3) and 1x1 convolutions; the shortcut of the first block of a stage is a convolution."""

    def __init__(self, inputs: int, width: int, time_kernel: int, stride: Pair, norm: Norm, *, projects: bool) -> None:
        super().__init__()
        outputs = 4 * width
        self.shortcut = conv(inputs, outputs, (1, 1), stride, norm) if projects else nn.Identity()
        self.branch = nn.Sequential(
            conv(inputs, width, (time_kernel, 1), (1, 1), norm),
            nn.ReLU(),
            conv(width, width, (1, 3), stride, norm),
            nn.ReLU(),
            conv(width, outputs, (1, 1), (1, 1), norm),
        )
        last = self.branch[-1][1] if norm != "none" else self.branch[-1][0]  # pyright: ignore
        # The branch begins at zero (Kazakos et al., 2021).
        nn.init.zeros_(last.weight)  # pyright: ignore

    def forward(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t f2"]:
        """Shortcut plus branch."""
        return (self.shortcut(x) + self.branch(x)).relu()


class SlowFastResNet50(nn.Module):
    """Two streams of bottlenecks; the fast one is fused into the slow one before each stage. The embedding is (slow,
    fast)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        norm, width, narrow = config.norm, config.width, config.width // _NARROWER
        self.slow_stem = nn.Sequential(
            nn.Conv2d(1, width, (1, 7), 2, (0, 3), bias=norm == "none"), normalization(norm, width)
        )
        self.fast_stem = nn.Sequential(
            nn.Conv2d(1, narrow, (5, 7), 2, (2, 3), bias=norm == "none"), normalization(norm, narrow)
        )
        self.fuse, self.slow, self.fast = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        slow_in, fast_in = width, narrow
        for stage, depth in enumerate(config.depths):
            self.fuse.append(
                nn.Sequential(
                    nn.Conv2d(fast_in, 2 * fast_in, (7, 1), (_SLOWDOWN, 1), (3, 0), bias=norm == "none"),
                    normalization(norm, 2 * fast_in),
                    nn.ReLU(),
                )
            )
            slow_in += 2 * fast_in
            for streams, inputs, base, kernels in (
                (self.slow, slow_in, width, _SLOW_TIME_KERNELS),
                (self.fast, fast_in, narrow, _FAST_TIME_KERNELS),
            ):
                channels, stride = base << stage, _STAGE_STRIDES[stage]
                blocks = [Bottleneck(inputs, channels, kernels[stage], stride, norm, projects=True)]
                blocks += [
                    Bottleneck(4 * channels, channels, kernels[stage], (1, 1), norm, projects=False)
                    for _ in range(depth - 1)
                ]
                streams.append(nn.Sequential(*blocks))
            slow_in, fast_in = 4 * (width << stage), 4 * (narrow << stage)
        self.embed_dim = slow_in + fast_in

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        frames = x.shape[2]
        # Frames at equal distances from the first to the last, as in the code of Kazakos et al.
        picked = torch.linspace(0, frames - 1, max(1, frames // _SLOWDOWN), device=x.device).long()
        slow, fast = self.slow_stem(x[:, :, picked]).relu(), self.fast_stem(x).relu()
        for fuse, slow_stage, fast_stage in zip(self.fuse, self.slow, self.fast, strict=True):
            lateral = fuse(fast)
            # Rounding may leave one frame more in either stream.
            shared = min(lateral.shape[2], slow.shape[2])
            slow, fast = slow_stage(torch.cat([slow[:, :, :shared], lateral[:, :, :shared]], 1)), fast_stage(fast)
        return torch.cat([slow.mean((-2, -1)), fast.mean((-2, -1))], 1)
