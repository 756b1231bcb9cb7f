"""The feature baselines of A-VB and ExVo: small networks on functionals of a clip (paper, section 3.4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audio_datasets.config import MLPConfig, MultitaskConfig


class MLP(nn.Module):
    """Hidden layers with layer normalisation (none after the last) and leaky ReLUs, then one output layer.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        below = config.inputs
        for number, width in enumerate(config.widths, start=1):
            layers.append(nn.Linear(below, width))
            if number < len(config.widths):
                layers.append(nn.LayerNorm(width))
            layers.append(nn.LeakyReLU())
            below = width
        self.layers = nn.Sequential(*layers, nn.Linear(below, config.outputs))

    def forward(self, features: Float[Tensor, "clips inputs"]) -> Float[Tensor, "clips outputs"]:
        """Logits, or values before the sigmoid."""
        return self.layers(features)


class Multitask(nn.Module):
    r"""Shared layers of 128 and 64, and heads for emotions, age and country (ExVo multitask).

    The loss is $\sum_k \tfrac12 (e^{-v_k} L_k + v_k)$ with learned $v_k = \log \sigma_k^2$ (Kendall et al., 2018), as
    in the official code of ExVo-MultiTask.

    Args:
        config: the architecture; kept as `config`.
    """

    def __init__(self, config: MultitaskConfig) -> None:
        super().__init__()
        self.config = config
        self.shared = nn.Sequential(
            nn.Linear(config.inputs, 128), nn.LayerNorm(128), nn.LeakyReLU(),
            nn.Linear(128, 64), nn.LayerNorm(64), nn.LeakyReLU(),
        )  # fmt: skip
        self.emotions, self.age = (_head(outputs) for outputs in (config.emotions, 1))
        self.country = _head(config.countries)
        self.log_variance = nn.Parameter(torch.full((3,), config.initial_log_variance))

    def forward(self, features: Float[Tensor, "clips inputs"]) -> tuple[Tensor, Tensor, Tensor]:
        """Emotions [clips, emotions] before the sigmoid, age [clips] in years, logits [clips, countries]."""
        shared = self.shared(features)
        return self.emotions(shared), self.age(shared)[:, 0], self.country(shared)

    def weigh(self, losses: Float[Tensor, " tasks"]) -> Float[Tensor, ""]:
        """The weighted sum of the losses of emotions, age and country."""
        return 0.5 * (torch.exp(-self.log_variance) * losses + self.log_variance).sum()


def _head(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(), nn.Linear(32, outputs))
