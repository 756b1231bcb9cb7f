"""Networks of canvases: a U-Net over patches, conditioned on a position by a mask, as a score and as a scalar energy.

Axes: B batch, H and W height and width of the canvas.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from onepaper.torch.state_files import load_pretrained, save_pretrained
from torch import Tensor, nn

from compose_diffusion.config.positions import DIGIT_SIZE, NO_POSITION, PositionNetworkConfig
from compose_diffusion.diffusion import NoiseSchedule, make_schedule
from compose_diffusion.models.blocks import GROUP_WIDTH, ResidualBlock, TimeEmbedding

SCORE_FOLDER = "score"
ENERGY_FOLDER = "energy"
SHIPPED_WEIGHTS = Path(__file__).parents[1] / "assets" / "weights" / "positions"


def window_map(position: Int[Tensor, "batch 2"], size: int) -> Float[Tensor, "batch 1 size size"]:
    """Mask of the digit at the position: 1 inside its window, 0 elsewhere; 0 everywhere for a position below 0 (none).

    A spatial map, because a vector that scales channels does not encode a location for a small convolutional network.
    """
    axis = torch.arange(size, device=position.device)
    inside = (axis >= position[:, :, None]) & (axis < position[:, :, None] + DIGIT_SIZE)
    inside = inside & (position[:, :, None] >= 0)
    columns, rows = inside.unbind(dim=1)
    return (rows[:, None, :, None] & columns[:, None, None, :]).float()


class CanvasUNet(nn.Module):
    r"""For every pixel, an estimate $\mu$ of its clean value and the variance $\tau^2$ of the estimate.

    If the clean pixel were Gaussian with this mean and variance, the posterior mean of the noise in $x_t$ would be
    $\hat\epsilon = g (x_t - \sqrt{\bar\alpha_t} \mu)$ with $g = \sigma_t / (\sigma_t^2 + \bar\alpha_t \tau^2)$. So the
    U-Net does not have to reproduce the noise at its output, and can be small. Its blocks are those of
    `models.digits.Denoiser`, over patches of pixels.

    Args:
        config: the architecture and the noise levels; kept as `config`.
    """

    alphas_cumprod: Tensor

    def __init__(self, config: PositionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        alphas_cumprod = make_schedule(config.schedule).alphas_cumprod.float()
        self.register_buffer("alphas_cumprod", alphas_cumprod, persistent=False)
        embed_dim = 4 * config.width
        pixels = config.patch**2
        widths = [config.width * multiplier for multiplier in config.multipliers]
        self.time_embedding = TimeEmbedding(config.schedule.num_levels, embed_dim)
        # Channels of a patch: its pixels, and the same number of mask pixels.
        self.stem = nn.Conv2d(2 * pixels, widths[0], 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        below = widths[0]
        for width in widths:
            self.down_blocks.append(ResidualBlock(below, width, embed_dim, config.dropout))
            below = width
        self.middle = ResidualBlock(below, below, embed_dim, config.dropout)
        for width in reversed(widths):
            self.up_blocks.append(ResidualBlock(below + width, width, embed_dim, config.dropout))
            below = width
        self.norm = nn.GroupNorm(widths[0] // GROUP_WIDTH, widths[0])
        self.out = nn.Conv2d(widths[0], 2 * pixels, 3, padding=1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        x: Float[Tensor, "batch 1 height width"],
        t: Int[Tensor, " batch"],
        position: Int[Tensor, "batch 2"] | None = None,
    ) -> tuple[Float[Tensor, "batch 1 height width"], Float[Tensor, "batch 1 height width"]]:
        """[B, 1, H, W], [B], [B, 2] -> x - sqrt(abar) mu and the gain g, each [B, 1, H, W].

        Args:
            x: canvases at level t.
            t: noise levels.
            position: (x, y) of one digit's top left pixel; none if below 0, or for all canvases if absent.

        Raises:
            UsageError: canvases of another size than that of the network.
        """
        size, patch = self.config.canvas_size, self.config.patch
        if x.shape[1:] != (1, size, size):
            raise UsageError(
                f"canvases have shape {tuple(x.shape)}, expected [batch, 1, {size}, {size}]; this network was made for "
                "that size"
            )
        position = t.new_full((len(t), 2), NO_POSITION) if position is None else position
        embedding = self.time_embedding(t)
        h = self.stem(F.pixel_unshuffle(torch.cat([x, window_map(position, size).to(x.dtype)], dim=1), patch))
        passed = []
        for block in self.down_blocks:
            h = block(F.avg_pool2d(h, 2) if passed else h, embedding)
            passed.append(h)
        h = self.middle(h, embedding)
        for block in self.up_blocks:
            h = block(torch.cat([h, passed.pop()], dim=1), embedding)
            h = F.interpolate(h, scale_factor=2.0, mode="nearest") if passed else h
        guess, spread = F.pixel_shuffle(self.out(F.silu(self.norm(h))), patch).chunk(2, dim=1)
        abar = self.alphas_cumprod[t][:, None, None, None]
        gain = (1 - abar).sqrt() / (1 - abar + abar * F.softplus(spread))
        return x - abar.sqrt() * guess, gain


class PositionDenoiser(nn.Module):
    r"""Score form: $\hat\epsilon_\theta(x_t, t, (x, y)) = g (x_t - \sqrt{\bar\alpha_t} \mu)$, see `CanvasUNet`.

    Args:
        config: of the U-Net.
    """

    def __init__(self, config: PositionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.body = CanvasUNet(config)

    def forward(
        self,
        x: Float[Tensor, "batch 1 height width"],
        t: Int[Tensor, " batch"],
        position: Int[Tensor, "batch 2"] | None = None,
    ) -> Float[Tensor, "batch 1 height width"]:
        """[B, 1, H, W], [B], [B, 2] -> [B, 1, H, W], the predicted noise."""
        residual, gain = self.body(x, t, position)
        return gain * residual

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "PositionDenoiser":
        """The model that `save_pretrained` wrote, in evaluation mode on the CPU; errors as of `PositionModels`."""
        return _load(folder, cls, "score")


class PositionEnergy(nn.Module):
    r"""Energy form: $f_\theta(x_t, t, (x, y)) = \frac12 |h - x_t|^2$, the denoising-autoencoder form of the official
    toy notebook.

    Here $x_t - h = \sqrt g (x_t - \sqrt{\bar\alpha_t} \mu)$, see `CanvasUNet`. The gradient is the predicted noise,
    $\hat\epsilon = \nabla_x f$, so that $\log q_t = -f / \sigma_t$ up to a constant; with $\mu$ and $g$ held fixed it
    equals the prediction of the score form.

    Args:
        config: of the U-Net.
    """

    def __init__(self, config: PositionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.body = CanvasUNet(config)

    def forward(
        self,
        x: Float[Tensor, "batch 1 height width"],
        t: Int[Tensor, " batch"],
        position: Int[Tensor, "batch 2"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """[B, 1, H, W], [B], [B, 2] -> [B], the energy f."""
        residual, gain = self.body(x, t, position)
        return 0.5 * (gain * residual.square()).flatten(1).sum(dim=1)

    def predicted_noise(
        self,
        x: Float[Tensor, "batch 1 height width"],
        t: Int[Tensor, " batch"],
        position: Int[Tensor, "batch 2"] | None = None,
    ) -> Float[Tensor, "batch 1 height width"]:
        """Gradient of f with respect to x; differentiable itself if gradients are enabled."""
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            inputs = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(inputs, t, position).sum(), inputs, create_graph=differentiable)
        return gradient

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "PositionEnergy":
        """The model that `save_pretrained` wrote, in evaluation mode on the CPU; errors as of `PositionModels`."""
        return _load(folder, cls, "energy")


PositionNetwork = PositionDenoiser | PositionEnergy


def make_network(config: PositionNetworkConfig) -> PositionNetwork:
    """A new network of the configured form."""
    return PositionEnergy(config) if config.form == "energy" else PositionDenoiser(config)


ModelT = TypeVar("ModelT", "PositionDenoiser", "PositionEnergy")


def _load(folder: str | Path, kind: type[ModelT], form: str) -> ModelT:
    def build(config: PositionNetworkConfig) -> ModelT:
        if config.form != form:
            raise UsageError(
                f"{folder} holds the {config.form} form, expected the {form} form; load it with the other class"
            )
        return kind(config)

    model, _ = load_pretrained(folder, PositionNetworkConfig, build)
    return model.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class PositionModels:
    """Score network and energy network, trained separately for the same noise levels and canvas size."""

    score: PositionDenoiser
    energy: PositionEnergy
    schedule: NoiseSchedule

    @classmethod
    def from_pretrained(cls, folder: str | Path | None = None, device: torch.device | str = "cpu") -> "PositionModels":
        """Both networks from the folder of a training run, or, without one, those that ship with the package.

        Raises:
            UsageError: no such folder, no such networks in it, or networks that differ in noise levels or canvas size.
            OnePaperError: weights are missing or damaged.
        """
        folder = SHIPPED_WEIGHTS if folder is None else Path(folder)
        if not folder.is_dir():
            raise UsageError(f"weights folder {folder} does not exist; give the folder of a `train` run")
        score = PositionDenoiser.from_pretrained(folder / SCORE_FOLDER)
        energy = PositionEnergy.from_pretrained(folder / ENERGY_FOLDER)
        for name in ("schedule", "canvas_size"):
            ours, theirs = getattr(score.config, name), getattr(energy.config, name)
            if ours != theirs:
                raise UsageError(
                    f"{folder} holds a score network with {name} {ours} and an energy with {theirs}, expected equal "
                    "ones; train both in one run"
                )
        return cls(score.to(device), energy.to(device), make_schedule(score.config.schedule))
