"""Networks of the digits: a small U-Net that predicts noise, and a noise-conditional classifier.

Axes: B batch, C channels, H and W height and width, E embedding.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from onepaper.torch.state_files import load_pretrained, save_pretrained
from torch import Tensor, nn

from compose_diffusion.config.digits import ClassifierConfig, DenoiserConfig
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.blocks import ResidualBlock, TimeEmbedding, group_norm, zeroed

DENOISER_FOLDER = "denoiser"
CLASSIFIER_FOLDER = "classifier"
SHIPPED_WEIGHTS = Path(__file__).parents[1] / "assets" / "weights" / "digits"


class Denoiser(nn.Module):
    r"""$\hat\epsilon_\theta(x_t, t, y)$: predicted noise, class-conditional or, with the null label, unconditional.

    A U-Net with one residual block for each resolution in the encoder and in the decoder, and skip connections.

    Args:
        config: the architecture and the noise levels; kept as `config`.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        embed_dim = 4 * config.width
        widths = [config.width * multiplier for multiplier in config.multipliers]
        self.time_embedding = TimeEmbedding(config.schedule.num_levels, embed_dim)
        # The last row is the learnt null label.
        self.label_embedding = nn.Embedding(config.num_classes + 1, embed_dim)
        self.stem = nn.Conv2d(config.image_channels, widths[0], 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        below = widths[0]
        for width in widths:
            self.down_blocks.append(ResidualBlock(below, width, embed_dim, config.dropout))
            below = width
        self.middle = ResidualBlock(below, below, embed_dim, config.dropout)
        for width in reversed(widths):
            self.up_blocks.append(ResidualBlock(below + width, width, embed_dim, config.dropout))
            below = width
        self.norm = group_norm(widths[0])
        self.out = zeroed(nn.Conv2d(widths[0], config.image_channels, 3, padding=1))

    @property
    def null_label(self) -> int:
        """The label of the unconditional model."""
        return self.config.num_classes

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        t: Int[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """Predicted noise, of x's shape; without a label, the unconditional prediction."""
        _check_image(x, self.config.image_channels, len(self.config.multipliers))
        label = torch.full_like(t, self.null_label) if label is None else label
        embedding = self.time_embedding(t) + self.label_embedding(label)
        h = self.stem(x)
        passed = []
        for block in self.down_blocks:
            # Every block but the first works at half the resolution of the one before.
            h = block(F.avg_pool2d(h, 2) if passed else h, embedding)
            passed.append(h)
        h = self.middle(h, embedding)
        for block in self.up_blocks:
            h = block(torch.cat([h, passed.pop()], dim=1), embedding)
            h = F.interpolate(h, scale_factor=2.0, mode="nearest") if passed else h
        return self.out(F.silu(self.norm(h)))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Denoiser":
        """The model that `save_pretrained` wrote, in evaluation mode on the CPU.

        Raises:
            UsageError: no such folder, or a model of another kind.
            OnePaperError: the weights are missing or damaged.
        """
        return load_pretrained(folder, DenoiserConfig, cls)[0].eval()


class NoisyClassifier(nn.Module):
    r"""$\log p_\phi(y | x_t, t)$ up to a constant: logits for images at any noise level, for classifier guidance.

    Args:
        config: the architecture and the noise levels; kept as `config`.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        embed_dim = 4 * config.width
        widths = [config.width * multiplier for multiplier in config.multipliers]
        self.time_embedding = TimeEmbedding(config.schedule.num_levels, embed_dim)
        self.stem = nn.Conv2d(config.image_channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            ResidualBlock(before, width, embed_dim, config.dropout)
            for before, width in zip([widths[0], *widths], widths, strict=False)
        )
        self.norm = group_norm(widths[-1])
        self.out = nn.Linear(widths[-1], config.num_classes)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch num_classes"]:
        """[B, C, H, W], [B] -> logits [B, classes]."""
        _check_image(x, self.config.image_channels, len(self.config.multipliers))
        embedding = self.time_embedding(t)
        h = self.stem(x)
        for index, block in enumerate(self.blocks):
            h = block(F.avg_pool2d(h, 2) if index else h, embedding)
        return self.out(reduce(F.silu(self.norm(h)), "b c h w -> b c", "mean"))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "NoisyClassifier":
        """The model that `save_pretrained` wrote, in evaluation mode on the CPU.

        Raises:
            UsageError: no such folder, or a model of another kind.
            OnePaperError: the weights are missing or damaged.
        """
        return load_pretrained(folder, ClassifierConfig, cls)[0].eval()


@dataclass(frozen=True, eq=False)
class DigitModels:
    """A denoiser and a guiding classifier with the same noise levels."""

    denoiser: Denoiser
    classifier: NoisyClassifier
    schedule: NoiseSchedule

    @classmethod
    def from_pretrained(cls, folder: str | Path | None = None, device: torch.device | str = "cpu") -> "DigitModels":
        """Both networks from the folder of a training run, or, without one, those that ship with the package.

        Raises:
            UsageError: no such folder, no such networks in it, or networks with different noise levels.
            OnePaperError: weights are missing or damaged.
        """
        folder = SHIPPED_WEIGHTS if folder is None else Path(folder)
        if not folder.is_dir():
            raise UsageError(f"weights folder {folder} does not exist; give the folder of a `train` run")
        denoiser = Denoiser.from_pretrained(folder / DENOISER_FOLDER)
        classifier = NoisyClassifier.from_pretrained(folder / CLASSIFIER_FOLDER)
        if denoiser.config.schedule != classifier.config.schedule:
            raise UsageError(
                f"{folder} holds a denoiser for {denoiser.config.schedule} and a classifier for "
                f"{classifier.config.schedule}, expected equal noise levels; train both in one run"
            )
        return cls(denoiser.to(device), classifier.to(device), make_schedule(denoiser.config.schedule))


def _check_image(x: Tensor, channels: int, num_resolutions: int) -> None:
    factor = 2 ** (num_resolutions - 1)
    if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % factor or x.shape[3] % factor:
        raise UsageError(
            f"images have shape {tuple(x.shape)}, expected [batch, {channels}, height, width] with height and width "
            f"multiples of {factor}; pad the images or use fewer multipliers"
        )
