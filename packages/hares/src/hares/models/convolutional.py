"""The CNN of BYOL-A (Niizumi et al., 2021) and CNN14 of PANNs (Kong et al., 2020)."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import EncoderConfig


class ByolCNN(nn.Module):
    """Three convolutions with pooling, then two linear layers a frame; mean plus maximum over time."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels = 64
        layers: list[nn.Module] = []
        for inputs in (1, channels, channels):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        width = config.width
        bands = config.front_end.mels // 8
        self.frame = nn.Sequential(
            nn.Linear(channels * bands, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, width), nn.ReLU()
        )
        self.embed_dim = width

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        frames = self.frame(self.features(x).transpose(1, 2).flatten(2))
        return frames.mean(1) + frames.amax(1)


class CNN14(nn.Module):
    """Six blocks of two convolutions; mean over bands, then mean plus maximum over time; without the fully connected
    layer of PANNs."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm1d(config.front_end.mels)
        self.blocks = nn.ModuleList()
        inputs = 1
        for outputs in (config.width * ratio for ratio in (1, 2, 4, 8, 16, 32)):
            layers: list[nn.Module] = []
            for channels in (inputs, outputs):
                layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            self.blocks.append(nn.Sequential(*layers))
            inputs = outputs
        self.embed_dim = inputs

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The embedding."""
        x = self.input_norm(x[:, 0].transpose(1, 2)).transpose(1, 2)[:, None]
        for index, block in enumerate(self.blocks):
            x = block(x)
            # Ceiling, so that clips of fewer than 32 frames keep one.
            x = F.avg_pool2d(x, 2, ceil_mode=True) if index + 1 < len(self.blocks) else x
            x = F.dropout(x, 0.2, self.training)
        frames = x.mean(-1)
        return frames.mean(-1) + frames.amax(-1)
