r"""Losses of pre-training, and the network with its head.

SimCLR (paper, section 2.2): of 2N normalised projections, two views each of N clips,
$\ell_i = -z_i \cdot z_{p(i)} / \tau + \log \sum_{j \neq i} \exp(z_i \cdot z_j / \tau)$.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, arange, cat, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hares.config import TrainConfig
from hares.models.encoder import Encoder


def contrastive_losses(
    local: Float[Tensor, "rows dim"], all_rows: Float[Tensor, "all dim"], first: int, clips: int, temperature: float
) -> Float[Tensor, " rows"]:
    r"""The loss of each row of `local`; the views of clip k are rows `2k` and `2k + 1` of `all_rows`.

    Args:
        local: normalised projections of this process's views.
        all_rows: those of all processes.
        first: row of `all_rows` at which `local` begins.
        clips: number N of clips of all processes, at least 2.
        temperature: tau.
    """
    if clips < 2:
        raise ValueError(f"{clips} clip: a contrastive loss needs at least 2")
    rows = first + arange(len(local), device=local.device)
    # Logits in 32 bits at least, whatever the precision of the network.
    exact = local if local.dtype.itemsize >= 4 else local.float()
    logits = exact @ all_rows.to(exact.dtype).T / temperature
    logits = logits.scatter(1, rows[:, None], float("-inf"))
    return F.cross_entropy(logits, rows ^ 1, reduction="none")


class Pretrainer(nn.Module):
    """An encoder with the head of its objective; the head is dropped afterwards.

    simclr: three hidden layers with ReLU, then a linear layer without bias. cola: a linear layer, layer normalisation,
    tanh, and a bilinear similarity (Saeed et al., 2021). supervised: a linear classifier.
    """

    def __init__(self, config: TrainConfig, classes: int = 0) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder)
        dim, hidden, out = self.encoder.embed_dim, config.projector_width, config.projection
        if config.objective == "simclr":
            widths = (dim, hidden, hidden)
            layers = [layer for width in widths for layer in (nn.Linear(width, hidden), nn.ReLU())]
            self.head = nn.Sequential(*layers, nn.Linear(hidden, out, bias=False))
        elif config.objective == "cola":
            self.head = nn.Sequential(nn.Linear(dim, out), nn.LayerNorm(out), nn.Tanh())
            self.similarity = nn.Parameter(0.05 * nn.init.orthogonal_(nn.Linear(out, out).weight.detach()))
        else:
            self.head = nn.Linear(dim, classes)

    def forward(self, spectrogram: Float[Tensor, "batch frames mels"]) -> Float[Tensor, "batch out"]:
        """The head's output."""
        return self.head(self.encoder.embed_spectrogram(spectrogram))


def cola_losses(
    anchors: Float[Tensor, "clips dim"],
    views: Float[Tensor, "all dim"],
    similarity: Float[Tensor, "dim dim"],
    first: int,
) -> Float[Tensor, " clips"]:
    """Cross-entropy of each anchor's own view among the views of all clips, by the similarity a W b."""
    targets = first + arange(len(anchors), device=anchors.device)
    return F.cross_entropy(anchors @ similarity @ views.T, targets, reduction="none")


def interleave(first: Float[Tensor, "clips ..."], second: Float[Tensor, "clips ..."]) -> Float[Tensor, "views ..."]:
    """Two views of each clip in neighbouring rows."""
    return cat([first[:, None], second[:, None]], 1).flatten(0, 1)


def in_parts(
    function: Callable[[Tensor], Tensor], inputs: Float[Tensor, "rows ..."], rows: int
) -> Float[Tensor, "rows out"]:
    """`function(inputs)` with activations of at most `rows` rows in memory at a time; 0 for all.

    A first pass keeps outputs only. When the gradients of a loss over all outputs are known, the backward pass computes
    each part again from the same random numbers, and its gradients, as GradCache does (Gao et al., 2021). Where rows do
    not depend on each other (no batch normalisation, no dropped branches) gradients are those of one pass.
    """
    if not rows or len(inputs) <= rows:
        return function(inputs)
    return cat([checkpoint(function, part, use_reentrant=False) for part in inputs.split(rows)])  # pyright: ignore
