"""A uniform circle with a closed-form noised density, a component of the nine-task suite."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from onepaper.config import check_positive, unknown
from onepaper.errors import UsageError
from torch import Tensor

from compose_diffusion.data.distributions import DISTRIBUTIONS, LOG_2_PI, Distribution


class Circle:
    r"""Uniform on the circle of radius R about c.

    With $u = x - \sqrt{\bar\alpha}\, c$, $r = |u|$, $\rho = \sqrt{\bar\alpha} R$ and $\sigma^2 = 1 - \bar\alpha$, the
    noised density is $\frac{1}{2 \pi \sigma^2} e^{-(r^2 + \rho^2) / (2 \sigma^2)} I_0(r \rho / \sigma^2)$, and its
    score $\frac{u}{\sigma^2} (\frac{\rho}{r} \frac{I_1}{I_0} - 1)$.

    Args:
        centre: [2].
        radius: above 0.

    Raises:
        UsageError: a centre that is not a point of the plane, or a radius that is not above 0.
    """

    def __init__(self, centre: Sequence[float], radius: float = 1.0) -> None:
        check_positive("circle radius", radius)
        self.centre = torch.as_tensor(centre, dtype=torch.float64)
        self.radius = radius
        if self.centre.shape != (2,):
            raise UsageError(f"circle centre has shape {tuple(self.centre.shape)}, expected [2], a point of the plane")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return 2

    def sample(
        self, num_samples: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "num_samples 2"]:
        """Independent clean samples."""
        angle = 2 * math.pi * torch.rand(num_samples, generator=generator, dtype=torch.float64)
        return (self.centre + self.radius * torch.stack([angle.cos(), angle.sin()], dim=1)).to(dtype)

    def noised(
        self, x: Float[Tensor, "batch 2"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch 2"]]:
        """Log density and score of the data noised to `alpha_bar` in (0, 1)."""
        variance = 1 - alpha_bar
        offset = x.double() - math.sqrt(alpha_bar) * self.centre.to(x.device)
        distance = offset.norm(dim=1)
        radius = math.sqrt(alpha_bar) * self.radius
        # i0e and i1e are the Bessel functions times exp(-argument), which avoids overflow near level 0.
        argument = distance * radius / variance
        scaled = torch.special.i0e(argument)
        log_density = -((distance - radius) ** 2) / (2 * variance) + scaled.log() - LOG_2_PI - math.log(variance)
        ratio = torch.special.i1e(argument) / scaled
        pull = radius * ratio / distance.clamp(min=torch.finfo(torch.float64).tiny) - 1
        return log_density.to(x.dtype), (pull[:, None] * offset / variance).to(x.dtype)

    def log_prob(self, x: Float[Tensor, "batch 2"]) -> Float[Tensor, " batch"]:
        """Not defined: a curve has no density in the plane."""
        raise UsageError(
            f"log_prob of a circle at {len(x)} points, expected a distribution with a density: a curve has none in the "
            "plane; use noised with alpha_bar below 1"
        )


CIRCLES = {
    "suite-left-circle": lambda: Circle([-0.5, 0.0]),
    "suite-right-circle": lambda: Circle([0.5, 0.0]),
}


def make_component(name: str) -> Distribution:
    """A training distribution of the toy's networks: one of `distributions.DISTRIBUTIONS` or a circle of the suite.

    Raises:
        UsageError: no such distribution; the message has the most similar name.
    """
    found = {**DISTRIBUTIONS, **CIRCLES}
    if name not in found:
        raise UsageError(unknown("distribution", name, found))
    return found[name]()
