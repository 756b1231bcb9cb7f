"""Distributions of the plane whose noised densities and scores are known exactly (sections 5.1 and 5.2).

A clean point x0 becomes x = sqrt(abar) x0 + sqrt(1 - abar) noise; `noised` gives the log density of x and its gradient.
All arithmetic is float64 and the results come back in x's dtype: these are references to judge samplers by.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from onepaper.config import check_positive, unknown
from onepaper.errors import UsageError
from torch import Tensor

LOG_2_PI = math.log(2 * math.pi)


@runtime_checkable
class Distribution(Protocol):
    """What an exact leaf needs: clean samples, and the density at any noise level."""

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...

    def sample(
        self, num_samples: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "num_samples dim"]:
        """Independent clean samples."""
        ...

    def noised(
        self, x: Float[Tensor, "batch dim"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch dim"]]:
        """Log density and score of the data noised to `alpha_bar` in (0, 1)."""
        ...

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data."""
        ...


class GaussianMixture:
    r"""$\sum_k \pi_k N(\mu_k, \Sigma_k)$, whose covariances may be full.

    Noised, component k is $N(\sqrt{\bar\alpha} \mu_k, \bar\alpha \Sigma_k + (1 - \bar\alpha) I)$.
    Covariances are diagonalised once: noise only adds to their eigenvalues.

    Args:
        means: [components, dim].
        std: one standard deviation for every component and axis; give this or `covariances`.
        covariances: [components, dim, dim], symmetric and positive definite.
        weights: [components], positive, scaled to sum to 1; equal if absent.

    Raises:
        UsageError: no component, shapes that do not fit, a covariance that is not positive definite, weights <= 0.
    """

    def __init__(
        self,
        means: Tensor | Sequence[Sequence[float]],
        std: float | None = None,
        covariances: Tensor | Sequence[Sequence[Sequence[float]]] | None = None,
        weights: Tensor | Sequence[float] | None = None,
    ) -> None:
        self.means = torch.as_tensor(means, dtype=torch.float64)
        if self.means.ndim != 2 or self.means.numel() == 0:
            raise UsageError(
                f"mixture means have shape {tuple(self.means.shape)}, expected [components, dim] with at least one "
                "component; give one row per component"
            )
        num_components, dim = self.means.shape
        if (std is None) == (covariances is None):
            raise UsageError("a Gaussian mixture takes either std or covariances, expected exactly one of the two")
        if covariances is None:
            check_positive("mixture std", std if std is not None else math.nan)
            self.variances = torch.full((1, dim), float(std or 0.0) ** 2, dtype=torch.float64)
            self.rotations = torch.eye(dim, dtype=torch.float64)[None]
        else:
            self.variances, self.rotations = _diagonalise(covariances, num_components, dim)
        self.weights = _normalised_weights(weights, num_components)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.means.shape[1]

    @property
    def covariances(self) -> Float[Tensor, "components dim dim"]:
        """Covariance matrix of each component."""
        matrices = torch.einsum("kij,kj,klj->kil", self.rotations, self.variances, self.rotations)
        return matrices.expand(len(self.means), -1, -1)

    def sample(
        self, num_samples: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "num_samples dim"]:
        """Independent clean samples."""
        component = torch.multinomial(self.weights, num_samples, replacement=True, generator=generator)
        noise = torch.randn(num_samples, self.dim, generator=generator, dtype=torch.float64)
        matrix_roots = (self.rotations * self.variances.sqrt()[:, None, :]).expand(len(self.means), -1, -1)
        offset = torch.einsum("nij,nj->ni", matrix_roots[component], noise)
        return (self.means[component] + offset).to(dtype)

    def noised(
        self, x: Float[Tensor, "batch dim"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch dim"]]:
        r"""Log density and score of the data noised to `alpha_bar` in (0, 1].

        With precision $P_k$ and $b_k = P_k \sqrt{\bar\alpha} \mu_k$, component k is
        $\exp(c_k + b_k \cdot x - x \cdot P_k x / 2)$ and its score $b_k - P_k x$: matrix products, and no array of
        all offsets. Components of one std share P.
        """
        points = x.double()
        variances = alpha_bar * self.variances + (1 - alpha_bar)
        precisions = torch.einsum("kij,kj,klj->kil", self.rotations, 1 / variances, self.rotations)
        means = math.sqrt(alpha_bar) * self.means
        linear = torch.einsum("kij,kj->ki", precisions.expand(len(means), -1, -1), means)
        constants = self.weights.log() - 0.5 * (
            (means * linear).sum(dim=1) + variances.log().sum(dim=1) + self.dim * LOG_2_PI
        )
        precisions, linear, constants = (values.to(x.device) for values in (precisions, linear, constants))
        curved = torch.einsum("ni,kij->nkj", points, precisions)
        log_components = constants + points @ linear.T - 0.5 * torch.einsum("nkj,nj->nk", curved, points)
        log_density = torch.logsumexp(log_components, dim=1)
        responsibilities = torch.exp(log_components - log_density[:, None])
        shared = len(precisions) == 1
        pull = curved[:, 0] if shared else torch.einsum("nk,nkj->nj", responsibilities, curved)
        return log_density.to(x.dtype), (responsibilities @ linear - pull).to(x.dtype)

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data."""
        return self.noised(x, 1.0)[0]


class UniformBox:
    r"""Uniform on the box from l to h.

    Noised, per axis $\frac{1}{h' - l'} [\Phi(\frac{h' - x}{\sigma}) - \Phi(\frac{l' - x}{\sigma})]$ with
    $l' = \sqrt{\bar\alpha}\, l$, $h' = \sqrt{\bar\alpha}\, h$ and $\sigma^2 = 1 - \bar\alpha$.

    Args:
        low: [dim], lower corner.
        high: [dim], upper corner, above `low` on every axis.

    Raises:
        UsageError: corners of different length, or not in order.
    """

    def __init__(self, low: Tensor | Sequence[float], high: Tensor | Sequence[float]) -> None:
        self.low = torch.as_tensor(low, dtype=torch.float64)
        self.high = torch.as_tensor(high, dtype=torch.float64)
        if self.low.ndim != 1 or self.low.shape != self.high.shape or self.low.numel() == 0:
            raise UsageError(
                f"box corners have shapes {tuple(self.low.shape)} and {tuple(self.high.shape)}, expected two vectors "
                "of equal length; give one number per axis"
            )
        if not bool((self.high > self.low).all()):
            raise UsageError(
                f"box from {self.low.tolist()} to {self.high.tolist()}, expected low < high on every axis; swap them"
            )

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.low)

    def sample(
        self, num_samples: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "num_samples dim"]:
        """Independent clean samples."""
        uniform = torch.rand(num_samples, self.dim, generator=generator, dtype=torch.float64)
        return (self.low + (self.high - self.low) * uniform).to(dtype)

    def noised(
        self, x: Float[Tensor, "batch dim"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch dim"]]:
        """Log density and score of the data noised to `alpha_bar` in (0, 1); finite however far x lies outside.

        The density is even about the box's centre, so the distance u >= 0 from it is enough; then the lower edge
        lies at least half a width away and only the upper one can be far out in a tail, where log_ndtr and erfcx stay
        accurate.
        """
        sigma = math.sqrt(1 - alpha_bar)
        half_width = (math.sqrt(alpha_bar) * (self.high - self.low) / 2).to(x.device)
        centre = (math.sqrt(alpha_bar) * (self.high + self.low) / 2).to(x.device)
        offset = x.double() - centre
        distance = offset.abs()
        upper, lower = (half_width - distance) / sigma, (-half_width - distance) / sigma
        log_upper = torch.special.log_ndtr(upper)
        # The share of Phi(upper) that is left once Phi(lower) is taken away.
        remaining = -torch.expm1(torch.special.log_ndtr(lower) - log_upper)
        log_density = (log_upper + remaining.log() - (2 * half_width).log()).sum(dim=1)
        # phi(upper) / Phi(upper), the Gaussian hazard; phi(lower) / phi(upper) = exp(-2 w u / sigma^2).
        hazard = math.sqrt(2 / math.pi) / torch.special.erfcx(-upper / math.sqrt(2))
        slope = hazard * torch.expm1(-2 * half_width * distance / sigma**2) / (remaining * sigma)
        return log_density.to(x.dtype), (offset.sign() * slope).to(x.dtype)

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data, -inf outside the box."""
        low, high = self.low.to(x), self.high.to(x)
        inside = ((x >= low) & (x <= high)).all(dim=1)
        return torch.where(inside, -(high - low).log().sum(), -math.inf)


class MixtureDistribution:
    r"""$\sum_k \pi_k q_k$ of any exact distributions; noised, it is the mixture of the noised.

    Args:
        components: at least one distribution, all of one dimension.
        weights: [components], positive, scaled to sum to 1; equal if absent.

    Raises:
        UsageError: no component, different dimensions, weights <= 0.
    """

    def __init__(self, components: Sequence[Distribution], weights: Tensor | Sequence[float] | None = None) -> None:
        self.components = tuple(components)
        dims = sorted({component.dim for component in self.components})
        if len(dims) != 1:
            raise UsageError(f"mixture components have dimensions {dims}, expected one or more components of equal one")
        self.weights = _normalised_weights(weights, len(self.components))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.components[0].dim

    def sample(
        self, num_samples: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "num_samples dim"]:
        """Independent clean samples."""
        chosen = torch.multinomial(self.weights, num_samples, replacement=True, generator=generator)
        samples = torch.empty(num_samples, self.dim, dtype=dtype)
        for index, component in enumerate(self.components):
            here = chosen == index
            samples[here] = component.sample(int(here.sum()), generator, dtype)
        return samples

    def noised(
        self, x: Float[Tensor, "batch dim"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch dim"]]:
        """Log density and score of the data noised to `alpha_bar` in (0, 1)."""
        pairs = [component.noised(x.double(), alpha_bar) for component in self.components]
        log_weights = self.weights.log().to(x.device)
        log_components = torch.stack([log_density for log_density, _ in pairs], dim=1) + log_weights
        responsibilities = torch.softmax(log_components, dim=1)
        scores = torch.stack([score for _, score in pairs], dim=1)
        score = (responsibilities[:, :, None] * scores).sum(dim=1)
        return torch.logsumexp(log_components, dim=1).to(x.dtype), score.to(x.dtype)

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data."""
        log_components = torch.stack([component.log_prob(x) for component in self.components], dim=1)
        return torch.logsumexp(log_components + self.weights.log().to(x), dim=1)


def _diagonalise(
    covariances: Tensor | Sequence[Sequence[Sequence[float]]], num_components: int, dim: int
) -> tuple[Float[Tensor, "components dim"], Float[Tensor, "components dim dim"]]:
    matrices = torch.as_tensor(covariances, dtype=torch.float64)
    if matrices.shape != (num_components, dim, dim):
        raise UsageError(
            f"mixture covariances have shape {tuple(matrices.shape)}, expected {(num_components, dim, dim)} "
            "to go with the means"
        )
    if not torch.allclose(matrices, matrices.mT):
        raise UsageError("mixture covariances are not symmetric, expected symmetric matrices; average with transposes")
    variances, rotations = torch.linalg.eigh(matrices)
    if not bool((variances > 0).all()):
        raise UsageError(
            f"a mixture covariance has eigenvalue {variances.min().item():.3g}, expected positive definite matrices; "
            "add a small multiple of the identity"
        )
    return variances, rotations


def _normalised_weights(weights: Tensor | Sequence[float] | None, num_components: int) -> Float[Tensor, " components"]:
    if weights is None:
        return torch.full((num_components,), 1 / num_components, dtype=torch.float64)
    values = torch.as_tensor(weights, dtype=torch.float64)
    if values.shape != (num_components,) or not bool(((values > 0) & values.isfinite()).all()):
        raise UsageError(
            f"mixture weights are {values.tolist()}, expected {num_components} finite numbers above 0, one a component"
        )
    return values / values.sum()


def ring(std: float = 0.03, num_components: int = 8, radius: float = 0.5) -> GaussianMixture:
    """Equal Gaussians evenly spaced on a circle about the origin, the first at angle 0."""
    angles = 2 * math.pi * torch.arange(num_components, dtype=torch.float64) / num_components
    return GaussianMixture(radius * torch.stack([angles.cos(), angles.sin()], dim=1), std=std)


def bar(centre: float = 0.0, half_width: float = 0.2) -> UniformBox:
    """A vertical bar: y from -1 to 1, x within `half_width` of `centre`."""
    return UniformBox([centre - half_width, -1.0], [centre + half_width, 1.0])


def centred_box(half_width: float) -> UniformBox:
    """A square about the origin."""
    return UniformBox([-half_width, -half_width], [half_width, half_width])


def frame(outer: float = 0.7, inner: float = 0.3) -> MixtureDistribution:
    """Uniform on a square with a square hole, cut into four boxes: what a negation of boxes aims at."""
    sides = [
        UniformBox([-outer, inner], [outer, outer]),
        UniformBox([-outer, -outer], [outer, -inner]),
        UniformBox([-outer, -inner], [-inner, inner]),
        UniformBox([inner, -inner], [outer, inner]),
    ]
    return MixtureDistribution(sides, [float((side.high - side.low).prod()) for side in sides])


def ring_and_bar(std: float = 0.03) -> GaussianMixture:
    """Product of `ring` and `bar`: the components at (0, 0.5) and (0, -0.5) stay, the others lie 5 std outside."""
    return GaussianMixture([[0.0, 0.5], [0.0, -0.5]], std=std)


def column(x: float, std: float = 0.03) -> GaussianMixture:
    """Three Gaussians above one another."""
    return GaussianMixture([[x, 0.5], [x, 0.0], [x, -0.5]], std=std)


# The paper's toy (section 5.1, first table), then the parts of the nine-task suite whose noised densities are exact.
DISTRIBUTIONS: dict[str, Callable[[], Distribution]] = {
    "ring": ring,
    "bar": bar,
    "left-bar": lambda: bar(centre=-0.2, half_width=0.1),
    "right-bar": lambda: bar(centre=0.2, half_width=0.1),
    "big-box": lambda: centred_box(0.7),
    "small-box": lambda: centred_box(0.3),
    "ring-and-bar": ring_and_bar,
    "left-or-right-bar": lambda: MixtureDistribution([bar(-0.2, 0.1), bar(0.2, 0.1)]),
    "frame": frame,
    "suite-narrow-bar": lambda: bar(half_width=0.1),
    "suite-left-column": lambda: column(-0.25),
    "suite-right-column": lambda: column(0.25),
    "suite-left-box": lambda: UniformBox([-1.0, -1.0], [-0.5, 1.0]),
    "suite-right-box": lambda: UniformBox([0.5, -1.0], [1.0, 1.0]),
    "suite-big-box": lambda: centred_box(1.0),
    "suite-small-box": lambda: centred_box(0.5),
    "suite-tall-bar": lambda: UniformBox([-0.5, -2.0], [0.5, 2.0]),
}


def make_distribution(name: str) -> Distribution:
    """The named distribution of `DISTRIBUTIONS`; a name that is not there is answered with the nearest."""
    if name not in DISTRIBUTIONS:
        raise UsageError(unknown("distribution", name, DISTRIBUTIONS))
    return DISTRIBUTIONS[name]()
