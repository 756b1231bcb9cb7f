"""NFNet-F0 of one stream, and the Slowfast NFNet-F0 of two (paper, appendix B; official code, slowfast_nfnet.py)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import EncoderConfig
from hares.models.norm_free import NFBlock, Pair, WSConv2d, gelu, pad_same, scaled_gelu

SLOWDOWN = 4
"""Frames of the fast stream to one of the slow stream."""
_STAGE_RATIOS = (1, 2, 6, 6)
_STEM_STRIDES: tuple[Pair, ...] = ((2, 2), (1, 1), (1, 1), (2, 2))
_SLOW_STEM: tuple[Pair, ...] = ((1, 3), (1, 3), (1, 3), (3, 3))
_FAST_STEM: tuple[Pair, ...] = ((3, 3), (1, 3), (1, 3), (3, 3))
_SLOW_KERNELS: tuple[Pair, ...] = ((1, 1), (1, 1), (3, 1), (3, 1))
_FAST_KERNELS: tuple[Pair, ...] = ((3, 1),) * 4
_FUSION_KERNEL = 7
_FUSION_RATIOS = (1, 4, 8, 16)
_ALPHA = 0.2


class NFNet(nn.Module):
    """One stream: stem, four stages of blocks, and a final 1x1 convolution.

    Args:
        config: depths, group sizes, final convolution, stochastic depth.
        slow: kernels, group size and width of the slow stream (the width of `config`) or of the fast one (an eighth).
        fused: channels that another stream adds to the input of each stage.
    """

    def __init__(self, config: EncoderConfig, *, slow: bool, fused: tuple[int, ...] = (0, 0, 0, 0)) -> None:
        super().__init__()
        width = config.width if slow else config.width // 8
        group = config.slow_group if slow else config.fast_group
        widths = tuple(width * ratio for ratio in _STAGE_RATIOS)
        self.stem = nn.ModuleList()
        inputs = 1
        for ratio, kernel, stride in zip((16, 8, 4, 2), _SLOW_STEM if slow else _FAST_STEM, _STEM_STRIDES, strict=True):
            outputs = max(1, width // ratio)
            self.stem.append(WSConv2d(inputs, outputs, kernel, stride))
            inputs = outputs
        # The channels that leave the stem and the first three stages: what is fused into another stream.
        self.outputs = (inputs, *widths)
        self.stages = nn.ModuleList()
        expected_std, index = 1.0, 0
        for stage, (outputs, kernel) in enumerate(zip(widths, _SLOW_KERNELS if slow else _FAST_KERNELS, strict=True)):
            blocks = nn.ModuleList()
            for block in range(config.depths[stage]):
                first = block == 0
                blocks.append(
                    NFBlock(
                        inputs + fused[stage] if first else outputs,
                        outputs,
                        kernel,
                        (1, 2) if first and stage else (1, 1),
                        group,
                        beta=1.0 / expected_std,
                        projects=first,
                        drop_rate=config.stochastic_depth * index / sum(config.depths),
                        alpha=_ALPHA,
                    )
                )
                # A projection resets the variance; every block then adds alpha^2.
                expected_std = math.hypot(1.0 if first else expected_std, _ALPHA)
                index += 1
            self.stages.append(blocks)
            inputs = outputs
        self.final_conv = WSConv2d(inputs, 2 * inputs, (1, 1)) if config.final_conv else None
        self.embed_dim = 2 * inputs if config.final_conv else inputs

    def apply_stem(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b c t2 f2"]:
        """Four convolutions with activations between them; both axes become a quarter."""
        for index, conv in enumerate(self.stem):
            x = conv(scaled_gelu(x) if index else x)
        return x

    def apply_stage(self, stage: int, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b o t f2"]:
        """The blocks of a stage."""
        for block in self.stages[stage]:  # pyright: ignore
            x = block(x)
        return x

    def head(self, x: Float[Tensor, "b c t f"]) -> Float[Tensor, "b d t f"]:
        """The final convolution, if there is one."""
        return x if self.final_conv is None else self.final_conv(x)

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding by this stream alone."""
        x = self.apply_stem(x)
        for stage in range(4):
            x = self.apply_stage(stage, x)
        return scaled_gelu(self.head(x)).mean((-2, -1))


class SlowFastNFNet(nn.Module):
    """Two streams: the slow one sees a quarter of the frames and has eight times the channels.

    Before each stage, the fast stream's features are fused into the slow one by a convolution over seven frames with
    stride four. The embedding is (fast, slow), pooled over time and frequency.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.slow_input = config.slow_input
        fused = tuple(2 * (config.width // 8) * ratio for ratio in _FUSION_RATIOS)
        self.fast = NFNet(config, slow=False)
        self.slow = NFNet(config, slow=True, fused=fused)
        self.fuse = nn.ModuleList(
            WSConv2d(inputs, outputs, (_FUSION_KERNEL, 1), (SLOWDOWN, 1))
            for inputs, outputs in zip(self.fast.outputs, fused, strict=False)
        )
        self.embed_dim = self.fast.embed_dim + self.slow.embed_dim

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        fast, slow = self.fast.apply_stem(x), self.slow.apply_stem(self._slow_frames(x))
        for stage, fuse in enumerate(self.fuse):
            # Without the activation's scale, unlike everywhere else (official code).
            slow = torch.cat([slow, gelu(fuse(fast))], 1)
            fast, slow = self.fast.apply_stage(stage, fast), self.slow.apply_stage(stage, slow)
        return torch.cat([gelu(net.head(y)).mean((-2, -1)) for net, y in ((self.fast, fast), (self.slow, slow))], 1)

    def _slow_frames(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b 1 t4 f"]:
        if self.slow_input == "stride":
            return x[:, :, ::SLOWDOWN]
        window = (SLOWDOWN, 1)
        return F.max_pool2d(pad_same(x, window, window, -math.inf), window, window)
