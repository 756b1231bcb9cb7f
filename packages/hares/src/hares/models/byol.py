r"""BYOL (Grill et al., 2020), as BYOL-A trains it on spectrograms (Niizumi et al., 2021).

The online network predicts from one view of a clip the projection of another view by the target network, whose weights
are a moving average of the online ones: $\ell = 2 - 2 \cos(q(z), z')$, and the same with the views exchanged.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import TrainConfig
from hares.models.encoder import Encoder


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """One hidden layer with batch normalisation and ReLU."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class RunningNorm(nn.Module):
    """Subtracts the mean of all values seen so far and divides by their deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Tensor
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))

    @torch.no_grad()
    def update(self, count: float, mean: Tensor, variance: Tensor) -> None:
        """Take further values into account, by their number, mean and biased variance."""
        total = self.count + count
        difference = mean - self.mean
        squares = self.count * self.variance + count * variance + difference.square() * self.count * count / total
        self.mean += difference * count / total
        self.variance.copy_(squares / total)
        self.count.copy_(total)

    def forward(self, values: Tensor) -> Tensor:
        """The values, normalised."""
        return (values - self.mean) / self.variance.sqrt().clamp(min=torch.finfo(values.dtype).eps)


class Byol(nn.Module):
    """Online network (encoder, projector `head`, predictor) and target network (encoder, projector)."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder)
        hidden, out = config.projector_width, config.projection
        self.head = perceptron(self.encoder.embed_dim, hidden, out)
        self.predictor = perceptron(out, hidden, out)
        self.norm = RunningNorm()
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        self.target_head = copy.deepcopy(self.head).requires_grad_(False)

    def forward(self, spectrogram: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch out"]:
        """Predictions by the online network."""
        return self.predictor(self.head(self.encoder.embed_spectrogram(spectrogram)))

    @torch.no_grad()
    def targets(self, spectrogram: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch out"]:
        """Projections by the target network."""
        return self.target_head(self.target_encoder.embed_spectrogram(spectrogram))

    def pairs(self) -> list[tuple[nn.Parameter, nn.Parameter]]:
        """Each parameter of the target network with that of the online network that it follows."""
        modules = ((self.target_encoder, self.encoder), (self.target_head, self.head))
        return [pair for a, b in modules for pair in zip(a.parameters(), b.parameters(), strict=True)]


def byol_losses(predictions: Float[Tensor, "rows dim"], targets: Float[Tensor, "rows dim"]) -> Float[Tensor, " rows"]:
    """2 - 2 cos of each prediction and its target, between 0 and 4."""
    return 2.0 - 2.0 * F.cosine_similarity(predictions.float(), targets.float())
