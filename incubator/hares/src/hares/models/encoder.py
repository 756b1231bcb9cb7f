"""An encoder: front end and network, from waveforms to embeddings."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.torch.state_files import load_pretrained, save_pretrained
from torch import Tensor, nn

from hares.config import EncoderConfig
from hares.spectrograms.log_mel import frame_count, log_mel, log_of_power, mel_power

MIN_FRAMES = 16
"""Frames that the two streams need; shorter clips are padded with zeros to as many."""


class BandStatistics(nn.Module):
    """Mean and standard deviation of each band over time: an embedding without parameters."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embed_dim = 2 * config.front_end.mels

    def forward(self, x: Float[Tensor, "b 1 t f"]) -> Float[Tensor, "b d"]:
        """The statistics."""
        return torch.cat([x.mean(2), x.std(2, correction=0)], -1).flatten(1)


def build_network(config: EncoderConfig) -> nn.Module:
    """The network of an architecture; it maps (batch, 1, frames, mels) to (batch, `embed_dim`)."""
    if config.architecture == "statistics":
        return BandStatistics(config)
    if config.architecture.endswith("nfnet"):
        from hares.models.slowfast_nfnet import NFNet, SlowFastNFNet

        if config.architecture == "slowfast-nfnet":
            return SlowFastNFNet(config)
        return NFNet(config, slow=config.architecture == "slow-nfnet")
    from hares.models import convolutional, vision, vit

    networks: dict[str, Callable[[EncoderConfig], nn.Module]] = {
        "byola-cnn": convolutional.ByolCNN,
        "cnn14": convolutional.CNN14,
        "vit": vit.ViT,
        "resnet50": vision.ResNet50,
        "efficientnet-b0": vision.EfficientNetB0,
    }
    if config.architecture == "slowfast-resnet50":
        from hares.models.slowfast_resnet import SlowFastResNet50

        return SlowFastResNet50(config)
    return networks[config.architecture](config)


class Encoder(nn.Module):
    """Waveforms to embeddings: log-mel spectrogram, network, global average pooling.

    Attributes:
        rate: sampling rate that it expects, in Hz.
        embed_dim: width of the embedding.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.network = build_network(config)
        self.rate = config.front_end.rate
        self.embed_dim = int(self.network.embed_dim)  # pyright: ignore

    def spectrogram(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch frames mels"]:
        """What the network sees; clips of fewer than `MIN_FRAMES` frames are padded with zeros."""
        front_end = self.config.front_end
        shortest = front_end.window + (MIN_FRAMES - 1) * front_end.hop
        if frame_count(samples.shape[-1], front_end) < MIN_FRAMES:
            samples = torch.nn.functional.pad(samples, (0, shortest - samples.shape[-1]))
        if self.config.architecture == "statistics":
            return log_of_power(mel_power(samples, front_end), front_end)
        return log_mel(samples, front_end)

    def embed_spectrogram(self, spectrogram: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch dim"]:
        """Embeddings of log-mel spectrograms."""
        return self.network(spectrogram[:, None])

    def forward(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch dim"]:
        """Embeddings of waveforms at `rate`, in [-1, 1]."""
        return self.embed_spectrogram(self.spectrogram(samples))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(Path(folder), self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Encoder":
        """The encoder that `save_pretrained` wrote, ready for use."""
        encoder, _ = load_pretrained(Path(folder), EncoderConfig, cls)
        return encoder.float().eval()
