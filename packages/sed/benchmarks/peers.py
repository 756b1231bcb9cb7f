"""The peers of the benchmarks: the same training and sampling with a plain torch encoder, and a 1-D U-Net."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

VOCABULARY, EMBED, MAX_SPANS, DROPOUT, READOUT_POSITIONS, SIGMA_0, EMA = 2048, 32, 5, 0.1, 4, 0.01, 0.998

# Of the U-Net, so that its number of parameters is near that of the Transformer of the same case.
UNET_MULTIPLIERS = (1, 2)


class Case(NamedTuple):
    """Shape of a preset: sequence length N, width d, blocks, heads, batch B; and the width of a U-Net of equal size."""

    length: int
    width: int
    depth: int
    heads: int
    batch: int
    unet: int


CASES = {"laptop": Case(32, 96, 3, 4, 64, 32), "laptop-long": Case(64, 192, 4, 4, 64, 64)}


def encoder(case: Case) -> Any:
    """A denoiser of `torch.nn.TransformerEncoder` with learned absolute positions, its table and its readout."""
    import torch
    from torch import nn

    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            table = torch.randn(VOCABULARY, EMBED)
            self.register_buffer("table", table * (EMBED / table.square().sum(1, keepdim=True)).sqrt())
            self.inputs = nn.Linear(3 * EMBED + 1, case.width)
            self.time = nn.Linear(case.width, case.width)
            self.positions = nn.Parameter(0.02 * torch.randn(case.length, case.width))
            block = nn.TransformerEncoderLayer(
                case.width, case.heads, 4 * case.width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.blocks = nn.TransformerEncoder(block, case.depth, nn.LayerNorm(case.width), enable_nested_tensor=False)
            self.predict = nn.Linear(case.width, EMBED)
            self.readout = nn.Parameter(self.table.clone())

        def forward(self, x: Any, cond: Any, given: Any, x_self: Any, t: Any) -> Any:
            half = case.width // 2
            angles = t[:, None] * torch.exp(-math.log(10_000) * torch.arange(half) / half)
            time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
            given = given[..., None].float()
            inputs = torch.cat([(1 - given) * x, (1 - given) * x_self, given * cond, given], dim=-1)
            return self.predict(self.blocks(self.inputs(inputs) + time[:, None] + self.positions))

    return Denoiser()


def alpha_bar(steps: int = 1000) -> Any:
    """The cosine schedule, 0 to T."""
    import torch

    curve = torch.cos((torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008 * math.pi / 2).square()
    beta = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
    return torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)]).float()


def torch_step(model: Any, loss: Callable[[Any], Any]) -> Callable[[Any], float]:
    """A training step: gradients, clipping to norm 1, Adam, and an average of the weights."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    averaged = copy.deepcopy(model)
    pairs = list(averaged.parameters()), list(model.parameters())

    def step(batch: Any) -> float:
        optimizer.zero_grad()
        value = loss(batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(*pairs, 1 - EMA)
        return value.item()

    return step


def encoder_loss(model: Any, case: Case) -> Callable[[Any], Any]:
    """The loss of the paper on tokens, with self-conditioning on every second example."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    table, signal = model.table, alpha_bar()
    batch, length = case.batch, case.length

    def spans() -> Any:
        count = torch.randint(1, MAX_SPANS + 1, (batch, 1))
        ranks = torch.rand(batch, length - 1).argsort(1).argsort(1)
        cuts = F.pad(ranks < count - 1, (1, 0)).cumsum(1) + torch.randint(0, 2, (batch, 1))
        return (cuts % 2 == 1) & (count > 1)

    def loss(tokens: Any) -> Any:
        embedded = table[tokens]
        x_0 = embedded + SIGMA_0 * torch.randn_like(embedded)
        t = torch.randint(1, 1001, (batch,))
        a = signal[t][:, None, None]
        x_t = a.sqrt() * x_0 + (1 - a).sqrt() * torch.randn_like(x_0)
        given = spans()
        shown = (torch.rand(batch, 1, 1) >= DROPOUT).float()
        cond = torch.where(given[..., None], embedded, 0.0) * shown
        x_self = torch.zeros_like(x_0)
        with torch.no_grad():
            own = model(x_t[::2], cond[::2], given[::2], x_self[::2], t[::2])
        x_self[::2] = own * shown[::2]
        squares = (model(x_t, cond, given, x_self, t) - x_0).square().mean(-1).masked_fill(given, 0.0)
        error = (squares.sum(1) / (~given).sum(1).clamp(min=1)).mean()
        columns = torch.randperm(length)[:READOUT_POSITIONS]
        logits = x_0[:, columns] @ model.readout.T
        return error + F.cross_entropy(logits.flatten(0, 1), tokens[:, columns].flatten())

    return loss


def unet(case: Case) -> Any:
    """denoising-diffusion-pytorch's 1-D U-Net in its diffusion, which has neither given tokens nor a readout."""
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch_1d import GaussianDiffusion1D, Unet1D

    network = Unet1D(case.unet, dim_mults=UNET_MULTIPLIERS, channels=EMBED, self_condition=True)
    return GaussianDiffusion1D(
        network, seq_length=case.length, timesteps=1000, objective="pred_x0", auto_normalize=False
    )


def torch_sample(model: Any, count: int, length: int, steps: int) -> Any:
    """Unconditional samples by a loop over the posterior, with self-conditioning; tokens."""
    import torch

    signal, times = alpha_bar(), torch.linspace(1000, 0, steps + 1).round().long()
    x = torch.randn(count, length, EMBED)
    cond, given, found = torch.zeros_like(x), torch.zeros(count, length, dtype=torch.bool), torch.zeros_like(x)
    with torch.inference_mode():
        for t, before in itertools.pairwise(times):
            found = model(x, cond, given, found, t.expand(count))
            now, then = signal[t], signal[before]
            ratio = now / then
            mean = then.sqrt() * (1 - ratio) / (1 - now) * found + ratio.sqrt() * (1 - then) / (1 - now) * x
            x = mean + ((1 - then) / (1 - now) * (1 - ratio)).sqrt() * torch.randn_like(x)
        return (found @ model.readout.T).argmax(-1)
