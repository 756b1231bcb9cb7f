r"""Example mixing (paper, section 2.2 and appendix C): $x \leftarrow r x + (1 - r) x'$ with $r \sim$ Beta(5, 2)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def draw_ratios(
    count: int, alpha: float, beta: float, generator: torch.Generator, device: torch.device
) -> Float[Tensor, " batch"]:
    """Draws of Beta(alpha, beta), from two gamma variates each."""
    # torch draws gamma variates with an explicit generator only through this function.
    gammas = torch._standard_gamma(torch.tensor([alpha, beta], device=device).expand(count, 2), generator=generator)  # pyright: ignore
    return gammas[:, 0] / gammas.sum(-1)


def draw_partners(count: int, generator: torch.Generator, device: torch.device) -> Int[Tensor, " batch"]:
    """For each example another one of the batch, uniformly."""
    shifts = torch.randint(1, count, (count,), generator=generator, device=device)
    return (torch.arange(count, device=device) + shifts) % count


def mix(
    examples: Float[Tensor, "batch ..."], partners: Int[Tensor, " batch"], ratios: Float[Tensor, " batch"]
) -> Float[Tensor, "batch ..."]:
    """r x + (1 - r) x', with the partner x' of each example."""
    weights = ratios.reshape(-1, *[1] * (examples.ndim - 1))
    return weights * examples + (1 - weights) * examples[partners]
