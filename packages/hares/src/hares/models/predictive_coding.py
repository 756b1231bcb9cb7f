r"""Contrastive predictive coding (van den Oord et al., 2018), in both directions of time (Kawakami et al., 2020).

A spectrogram is cut into windows with embeddings $z_t$; a recurrent network makes a context $c_t$ of those up to t. Its
predictions $W_k c_t$ are compared with all windows of all clips:
$\ell_{t,k} = -\log \exp(z_{t+k} \cdot W_k c_t) / \sum_{j} \exp(z_j \cdot W_k c_t)$.
The paper's network for this objective reads waveforms; here any encoder of spectrograms can be trained by it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hares.config import TrainConfig
from hares.models.encoder import Encoder


def cut_windows(
    spectrogram: Float[Tensor, "clips frames mels"], frames: int, hop: int
) -> Float[Tensor, "clips windows frames2 mels"]:
    """Windows of as many frames every `hop` frames; frames after the last whole one are left out."""
    return spectrogram.unfold(1, frames, hop).transpose(2, 3)


class PredictiveCoder(nn.Module):
    """An encoder of windows, a projection, and for each direction contexts and predictions of the windows ahead."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder)
        width, context = config.projection, config.cpc.context
        self.head = nn.Linear(self.encoder.embed_dim, width)
        self.contexts = nn.ModuleList(nn.GRU(width, context, batch_first=True) for _ in range(2))
        self.predictors = nn.ModuleList(
            nn.ModuleList(nn.Linear(context, width, bias=False) for _ in range(config.cpc.ahead)) for _ in range(2)
        )

    def forward(self, windows: Float[Tensor, "rows frames mels"]) -> Float[Tensor, "rows width"]:
        """The projected embeddings of windows."""
        return self.head(self.encoder.embed_spectrogram(windows))

    def losses(
        self, own: Float[Tensor, "clips windows width"], all_clips: Float[Tensor, "all windows width"], first: int
    ) -> Float[Tensor, " clips"]:
        """The loss of each clip, a mean over windows, distances and directions.

        Args:
            own: projected embeddings of this process's clips.
            all_clips: those of all processes.
            first: row of `all_clips` at which `own` begins.
        """
        found: list[Tensor] = []
        for context, predictors in zip(self.contexts, self.predictors, strict=True):
            contexts = context(own)[0]
            for ahead, predictor in enumerate(predictors, 1):  # pyright: ignore
                found.append(prediction_losses(predictor(contexts[:, :-ahead]), all_clips, first, ahead))
            own, all_clips = own.flip(1), all_clips.flip(1)
        return torch.cat(found, 1).mean(1)


def prediction_losses(
    predictions: Float[Tensor, "clips earlier width"],
    all_clips: Float[Tensor, "all windows width"],
    first: int,
    ahead: int,
) -> Float[Tensor, "clips earlier"]:
    """Cross-entropy of the window that is `ahead` of each prediction's, among all windows of all clips."""
    clips, earlier, windows = len(predictions), predictions.shape[1], all_clips.shape[1]
    logits = predictions.float() @ all_clips.float().flatten(0, 1).T
    rows = first + torch.arange(clips, device=logits.device)
    targets = rows[:, None] * windows + torch.arange(ahead, ahead + earlier, device=logits.device)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").reshape(clips, earlier)
