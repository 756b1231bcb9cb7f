"""The end-to-end baseline of A-VB and ExVo: convolutions of frames of raw audio, then an LSTM (paper, section 3.4)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from torch import Tensor, nn

from audio_datasets.config import EndToEndConfig

# (input channels, output channels, kernel, padding, pooling) of "emo18" (Tzirakis et al., 2018).
_LAYERS = ((1, 64, 8, 3, 10), (64, 128, 6, 2, 8), (128, 256, 6, 2, 8))


class FrameEncoder(nn.Module):
    """Features of single frames: three times convolution, batch normalisation, leaky ReLU and max-pooling."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, padding, pool in _LAYERS:
            layers += [nn.Conv1d(inputs, outputs, kernel, padding=padding), nn.BatchNorm1d(outputs)]
            layers += [nn.LeakyReLU(), nn.MaxPool1d(pool)]
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: Float[Tensor, "frames samples"]) -> Float[Tensor, "frames features"]:
        """512 features of a frame of 1,600 samples."""
        return self.layers(frames[:, None]).flatten(1)


class EndToEnd(nn.Module):
    """Frames of raw audio to one prediction a clip, read off at its last frame.

    Convolutions see each frame alone, so that frames of padding, which are left out, change nothing.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: EndToEndConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = FrameEncoder()
        self.lstm = nn.LSTM(feature_length(config.frame), config.hidden, config.layers, batch_first=True)
        self.head = nn.Linear(config.hidden, config.outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.kaiming_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(
        self, frames: Float[Tensor, "clips frames samples"], counts: Int[Tensor, " clips"]
    ) -> Float[Tensor, "clips outputs"]:
        """Logits, or values before the sigmoid.

        Args:
            frames: of clips, padded to the longest.
            counts: number of frames of each clip, at least 1.
        """
        clips, length, samples = frames.shape
        if samples != self.config.frame:
            raise UsageError(f"frames have {samples} samples, expected {self.config.frame}")
        valid = torch.arange(length, device=frames.device) < counts[:, None]
        if self.config.normalize:
            power = frames.square().sum(dim=(1, 2)) / (counts * samples)
            frames = frames * (0.1 / (power.sqrt() + 1e-6))[:, None, None]
        encoded = self.encoder(frames[valid])
        features = encoded.new_zeros(clips, length, encoded.shape[1])
        features[valid] = encoded
        hidden, _ = self.lstm(features)
        return self.head(hidden[torch.arange(clips, device=frames.device), counts - 1])


def feature_length(frame: int) -> int:
    """Number of features of a frame of so many samples."""
    length = frame
    for _, _, kernel, padding, pool in _LAYERS:
        length = (length + 2 * padding - kernel + 1) // pool
    return length * _LAYERS[-1][1]


def output_loss(outputs: Float[Tensor, "clips outputs"], targets: Tensor, kind: str) -> Float[Tensor, ""]:
    """Sum over clips of the loss of logits or of values before the sigmoid (paper, section 3.4).

    Args:
        outputs: of a network.
        targets: indices [clips] of classes, or ratings [clips, outputs] in [0, 1], NaN where there is none.
        kind: classes: cross-entropy; regression: squared errors of sigmoids, summed over outputs.
    """
    if kind == "classes":
        return F.cross_entropy(outputs, targets, reduction="sum")
    errors = torch.where(targets.isnan(), 0.0, torch.sigmoid(outputs) - targets.nan_to_num())
    return errors.square().sum()
