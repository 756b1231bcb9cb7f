"""An encoder for X-ARES (Zhang et al., 2025), whose tasks call `encoder(audio)` on batches of waveforms at 16 kHz."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hares.hear import HearModel, get_timestamp_embeddings, load_model

_HOP_SECONDS = 0.05


class XaresEncoder(nn.Module):
    """Embeddings of windows of one second, every 50 ms.

    Args:
        weights: as of `hares.hear.load_model`.

    Attributes:
        sampling_rate: that it expects, in Hz.
        output_dim: width of the embeddings.
        hop_size_in_ms: between embeddings.

    Raises:
        UsageError: there are no such weights.
    """

    def __init__(self, weights: str = "") -> None:
        super().__init__()
        self.model: HearModel = load_model(weights)
        self.sampling_rate = self.model.sample_rate
        self.output_dim = self.model.timestamp_embedding_size
        self.hop_size_in_ms = round(1000 * _HOP_SECONDS)

    @torch.inference_mode()
    def forward(self, audio: Float[Tensor, "*batch samples"]) -> Float[Tensor, "clips times dim"]:
        """The embeddings of clips, or of one clip."""
        self.model.eval()
        return get_timestamp_embeddings(audio.unsqueeze(0) if audio.ndim == 1 else audio, self.model)[0]
