"""An encoder: front end and network, from waveforms to embeddings."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from onepaper.checkpoints import WEIGHTS_NAME
from onepaper.torch.state_files import load_pretrained, model_tensors, save_pretrained
from safetensors import SafetensorError, safe_open
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

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> Path:
        """Write `model.safetensors` and `config.json`.

        Args:
            folder: is made if it is missing.
            half: in float16, with a relative error of 5e-4, which halves the size.
        """
        tensors = model_tensors(self)
        if half:
            tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
        return save_pretrained(Path(folder), tensors, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Encoder":
        """The encoder that `save_pretrained` wrote, in float32 and ready for use.

        Raises:
            OnePaperError: a file is missing or damaged, or the weights are those of another configuration.
            UsageError: a parameter is not finite.
        """
        half = _is_half(Path(folder) / WEIGHTS_NAME)
        encoder, _ = load_pretrained(
            Path(folder), EncoderConfig, lambda config: cls(config).half() if half else cls(config)
        )
        return encoder.float().eval()


def _is_half(weights: Path) -> bool:
    """Whether a file holds numbers in float16; False for a file that cannot be read, which its reader reports."""
    try:
        with safe_open(weights, framework="pt") as file:
            return any(file.get_slice(name).get_dtype() == "F16" for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False
