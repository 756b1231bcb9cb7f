"""The toy's networks: a residual MLP h(x, t), as a noise predictor or as a scalar energy (paper, section 4.2)."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from onepaper.errors import UsageError
from onepaper.torch.state_files import load_pretrained, save_pretrained
from torch import Tensor, nn

from compose_diffusion.config.toy import ENERGY_FORMS, ToyNetworkConfig

DIM = 2


class ResidualBlock(nn.Module):
    """x + out(silu(inner(silu(in(silu(norm(x))) + embedding of t)))), which starts as the identity."""

    def __init__(self, width: int, time_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layer_in = _linear(width, 2 * width)
        self.layer_time = _linear(time_dim, 2 * width)
        self.layer_inner = _linear(2 * width, 2 * width)
        self.layer_out = _linear(2 * width, width, zero=True)

    def forward(
        self, x: Float[Tensor, "batch width"], embedding: Float[Tensor, "batch time_dim"]
    ) -> Float[Tensor, "batch width"]:
        """[B, width], [B, time_dim] -> [B, width]."""
        h = self.layer_in(F.silu(self.norm(x))) + self.layer_time(embedding)
        return x + self.layer_out(F.silu(self.layer_inner(F.silu(h))))


class ResidualMLP(nn.Module):
    """h(x, t), a vector of x's shape; 565,506 parameters at width 128.

    Args:
        config: the architecture and the number of noise levels.
        zero_output: whether the last layer starts at zero, so that h = 0.
    """

    def __init__(self, config: ToyNetworkConfig, *, zero_output: bool = True) -> None:
        super().__init__()
        self.time_embedding = nn.Embedding(config.schedule.num_levels, config.time_dim)
        self.layer_in = _linear(DIM, config.width)
        self.blocks = nn.ModuleList(ResidualBlock(config.width, config.time_dim) for _ in range(config.num_blocks))
        self.layer_out = _linear(config.width, DIM, zero=zero_output)

    def forward(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        """h at noise levels t, each from 0 to T - 1.

        Raises:
            UsageError: points that are not in the plane, or a level outside the schedule of the network.
        """
        self._check(x, t)
        embedding = self.time_embedding(t)
        h = self.layer_in(x)
        for block in self.blocks:
            h = block(h, embedding)
        return self.layer_out(h)

    def _check(self, x: Tensor, t: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != DIM:
            raise UsageError(f"points have shape {tuple(x.shape)}, expected [batch, {DIM}], points of the plane")
        num_levels = self.time_embedding.num_embeddings
        if torch.compiler.is_compiling() or len(t) == 0:
            return
        low, high = (int(end) for end in torch.aminmax(t))
        if low < 0 or high >= num_levels:
            raise UsageError(
                f"noise levels go from {low} to {high}, expected 0 to {num_levels - 1}, those the network was made "
                "for; give its leaf timesteps=own_schedule.nearest_levels(schedule)"
            )


class ToyNetwork(nn.Module, ABC):
    """Base class of score and energy: the MLP, its configuration, and saving.

    Args:
        config: architecture, form and noise levels; kept as `config`.

    Raises:
        UsageError: a form that the class does not have.
    """

    forms: ClassVar[tuple[str, ...]]

    def __init__(self, config: ToyNetworkConfig) -> None:
        super().__init__()
        if config.form not in self.forms:
            raise UsageError(
                f"{type(self).__name__} of form '{config.form}', expected {' or '.join(self.forms)}; use make_network"
            )
        self.config = config
        # With h = 0 the gradient of |h|^2 with respect to every weight is 0, so the network could not learn.
        self.mlp = ResidualMLP(config, zero_output=config.form != "l2")

    @abstractmethod
    def noise(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        """The predicted noise; differentiable with respect to the weights if gradients are enabled."""

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write `model.safetensors` and `config.json`."""
        return save_pretrained(folder, self, self.config)


class ToyScore(ToyNetwork):
    r"""$\hat\epsilon_\theta(x, t) = h_\theta(x, t)$: a score $-\hat\epsilon / \sigma_t$, and no log density."""

    forms: ClassVar[tuple[str, ...]] = ("score",)

    def forward(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        """The predicted noise."""
        return self.mlp(x, t)

    def noise(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        """The predicted noise."""
        return self(x, t)


class ToyEnergy(ToyNetwork):
    r"""A scalar f(x, t) with $\hat\epsilon = \nabla_x f$, so that $\log q_t(x) = -f / \sigma_t$ up to a constant.

    | form | f |
    |---|---|
    | dae | $\sum_d (h - x)_d^2$, that of the official toy notebook |
    | l2 | $\frac{1}{2} \sum_d h_d^2$ |
    | dot | $x \cdot h$ |
    """

    forms: ClassVar[tuple[str, ...]] = ENERGY_FORMS

    def forward(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """The energy f of each point."""
        h = self.mlp(x, t)
        if self.config.form == "dae":
            return (h - x).square().sum(dim=1)
        if self.config.form == "l2":
            return 0.5 * h.square().sum(dim=1)
        return (x * h).sum(dim=1)

    def noise(self, x: Float[Tensor, "batch 2"], t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        """Gradient of the energy with respect to x; differentiable itself (double backward) if gradients are
        enabled."""
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(x, t).sum(), x, create_graph=training)
        return gradient


def make_network(config: ToyNetworkConfig) -> ToyScore | ToyEnergy:
    """A new network of the configured form; its weights are drawn from torch's global generator."""
    return ToyScore(config) if config.form == "score" else ToyEnergy(config)


def load_network(folder: str | Path) -> ToyScore | ToyEnergy:
    """The network that `save_pretrained` wrote, in evaluation mode on the CPU.

    Raises:
        UsageError: no such folder, or a model of another kind.
        OnePaperError: the weights are missing or damaged.
    """
    return load_pretrained(folder, ToyNetworkConfig, make_network)[0].eval()


def _linear(inputs: int, outputs: int, *, zero: bool = False) -> nn.Linear:
    """Initialisation of the official toy: truncated normal weights with variance 1 / inputs, or zero; bias 0."""
    layer = nn.Linear(inputs, outputs)
    if zero:
        nn.init.zeros_(layer.weight)
    else:
        std = inputs**-0.5
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    nn.init.zeros_(layer.bias)
    return layer
