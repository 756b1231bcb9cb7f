"""Distributions of the plane with closed-form noised densities and scores: the exact references for samplers.

A clean point x0 becomes x = sqrt(abar) x0 + sqrt(1 - abar) noise; `noised` gives the log density of x and its gradient.
All arithmetic is float64; results are returned in x's dtype.

Values that depend on the noise level only are computed once (`level_constants`); the rest is one formula over
coordinate rows [dim, batch] (`noised_rows`). In this layout sums over components and axes run along the batch, which is
fast and compiles to one loop (`samplers.compilation`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast, runtime_checkable

import torch
from jaxtyping import Float
from onepaper.config import check_positive, unknown
from onepaper.errors import UsageError
from torch import Tensor

LOG_2_PI = math.log(2 * math.pi)

# Tensor arguments of a formula in addition to the points, nested for distributions with components.
Constants: TypeAlias = "tuple[Tensor | Constants, ...]"

# Beyond 20, in units of sqrt(2) sigma, erfc is close to underflow in float64 (1e-308 at 26.5), and eight terms of its
# asymptotic series are exact to rounding.
FAR_TAIL = 20.0
ERFC_SERIES = (1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0)

# Number of levels whose constants a distribution caches; larger than the number of levels of any schedule here.
REMEMBERED_LEVELS = 4096


@runtime_checkable
class Distribution(Protocol):
    """Interface of an exact leaf: clean samples, and the density at any noise level."""

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


class RowwiseDistribution(ABC):
    """A distribution defined by its constants at a level and one formula over coordinate rows."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[float, torch.device], Constants] = {}

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of coordinates."""

    @abstractmethod
    def noised_rows(
        self, points: Float[Tensor, "dim batch"], constants: Constants, *, branchless: bool = False
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "dim batch"]]:
        """Log density and score at float64 points, one row a coordinate.

        Args:
            points: float64.
            constants: the level's `level_constants`.
            branchless: avoid branches that depend on the points, so that the function can be traced.
        """

    @abstractmethod
    def _level_constants(self, alpha_bar: float) -> Constants:
        """Float64 tensors on the CPU; `level_constants` moves them to the device and caches them."""

    def level_constants(self, alpha_bar: float, device: torch.device) -> Constants:
        """The constants of `noised_rows` at this noise level, on the device of the points."""
        key = (alpha_bar, device)
        if key not in self._remembered:
            if len(self._remembered) >= REMEMBERED_LEVELS:
                self._remembered.clear()
            self._remembered[key] = _moved(self._level_constants(alpha_bar), device)
        return self._remembered[key]

    def noised(
        self, x: Float[Tensor, "batch dim"], alpha_bar: float
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch dim"]]:
        """Log density and score of the data noised to `alpha_bar` in (0, 1)."""
        log_density, score = self.noised_rows(coordinate_rows(x), self.level_constants(alpha_bar, x.device))
        return log_density.to(x.dtype), score.T.to(x.dtype, memory_format=torch.contiguous_format, copy=True)


def coordinate_rows(x: Float[Tensor, "batch dim"]) -> Float[Tensor, "dim batch"]:
    """Points as float64 rows of coordinates, each row contiguous."""
    return x.T.to(torch.float64, memory_format=torch.contiguous_format, copy=True)


def _moved(constants: Constants, device: torch.device) -> Constants:
    return tuple(part.to(device) if isinstance(part, Tensor) else _moved(part, device) for part in constants)


class GaussianMixture(RowwiseDistribution):
    r"""$\sum_k \pi_k N(\mu_k, \Sigma_k)$, with isotropic or full covariances.

    Noised, component k is $N(\sqrt{\bar\alpha} \mu_k, \bar\alpha \Sigma_k + (1 - \bar\alpha) I)$.
    Covariances are diagonalised once, since noise only adds to their eigenvalues.

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
        super().__init__()
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
        self.isotropic = covariances is None
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

    def _level_constants(self, alpha_bar: float) -> Constants:
        """log pi_k c_k [components, 1], b_k [components, dim], and P_k [components, dim, dim], or P [] for one std."""
        variances = alpha_bar * self.variances + (1 - alpha_bar)
        means = math.sqrt(alpha_bar) * self.means
        if self.isotropic:
            precisions = 1 / variances[0, 0]
            linear = precisions * means
        else:
            precisions = torch.einsum("kij,kj,klj->kil", self.rotations, 1 / variances, self.rotations)
            linear = torch.einsum("kij,kj->ki", precisions, means)
        constants = self.weights.log() - 0.5 * (
            (means * linear).sum(dim=1) + variances.log().sum(dim=1) + self.dim * LOG_2_PI
        )
        return constants[:, None], linear, precisions

    def noised_rows(
        self, points: Float[Tensor, "dim batch"], constants: Constants, *, branchless: bool = False
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "dim batch"]]:
        r"""Log density and score.

        With precision $P_k$ and $b_k = P_k \sqrt{\bar\alpha} \mu_k$, component k is
        $\exp(c_k + b_k \cdot x - x \cdot P_k x / 2)$ and its score $b_k - P_k x$: matrix products without an array of
        all offsets. Components with one std share P, which cancels in their responsibilities.
        """
        offsets, linear, precisions = cast(tuple[Tensor, Tensor, Tensor], constants)
        log_components = torch.addmm(offsets, linear, points)
        curved = precisions * points if self.isotropic else torch.einsum("kij,jn->kin", precisions, points)
        bent = 0.5 * (curved * points).sum(dim=-2)
        if not self.isotropic:
            log_components = log_components - bent
        largest = log_components.amax(dim=0)
        relative = torch.exp(log_components - largest)
        total = relative.sum(dim=0)
        log_density = largest + total.log()
        if self.isotropic:
            return log_density - bent, (linear.T @ relative) / total - curved
        return log_density, (linear.T @ relative - (relative[:, None] * curved).sum(dim=0)) / total

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data."""
        return self.noised(x, 1.0)[0]


class UniformBox(RowwiseDistribution):
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
        super().__init__()
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

    def _level_constants(self, alpha_bar: float) -> Constants:
        """Per axis [dim, 1] centre and half width, the latter in units of sqrt(2) sigma; 1 / (sqrt(2) sigma); log Z."""
        scale = 1 / math.sqrt(2 * (1 - alpha_bar))
        width = math.sqrt(alpha_bar) * (self.high - self.low)[:, None]
        centre = math.sqrt(alpha_bar) * (self.high + self.low)[:, None] / 2
        return centre, scale * width / 2, torch.tensor(scale, dtype=torch.float64), (2 * width).log().sum()

    def noised_rows(
        self, points: Float[Tensor, "dim batch"], constants: Constants, *, branchless: bool = False
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "dim batch"]]:
        r"""Log density and score; finite however far x lies outside.

        The density is even about the box's centre, so the distance u >= 0 from it is enough. With all lengths in
        units of $\sqrt 2 \sigma$, w the half width, the density of an axis is
        $[\mathrm{erfc}(u - w) - \mathrm{erfc}(u + w)] / (4 w)$. Far outside, where both underflow, the factor
        $e^{-(u - w)^2}$ is taken out of them.
        """
        centre, half_width, scale, log_normaliser = cast(tuple[Tensor, Tensor, Tensor, Tensor], constants)
        offset = (points - centre) * scale
        if branchless:
            # One axis at a time: for both at once, compilers evaluate erfc twice, for the sum and for the slopes.
            rows = zip(offset.split(1), half_width.split(1), strict=True)
            pairs = [_edges(row, width, branchless=True) for row, width in rows]
            log_mass, slope = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        else:
            log_mass, slope = _edges(offset, half_width, branchless=False)
        return log_mass.sum(dim=0) - log_normaliser, slope * (scale * (2 / math.sqrt(math.pi)))

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data, -inf outside the box."""
        low, high = self.low.to(x), self.high.to(x)
        inside = ((x >= low) & (x <= high)).all(dim=1)
        return torch.where(inside, -(high - low).log().sum(), -math.inf)


class MixtureDistribution(RowwiseDistribution):
    r"""$\sum_k \pi_k q_k$ of any exact distributions; noised, it is the mixture of the noised.

    Args:
        components: at least one distribution, all of one dimension.
        weights: [components], positive, scaled to sum to 1; equal if absent.

    Raises:
        UsageError: no component, different dimensions, weights <= 0.
    """

    def __init__(self, components: Sequence[Distribution], weights: Tensor | Sequence[float] | None = None) -> None:
        super().__init__()
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

    def _level_constants(self, alpha_bar: float) -> Constants:
        """Log weights [components, 1] and the constants of every component."""
        return self.weights.log()[:, None], tuple(_constants_of(part, alpha_bar) for part in self.components)

    def noised_rows(
        self, points: Float[Tensor, "dim batch"], constants: Constants, *, branchless: bool = False
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "dim batch"]]:
        """Log of the weighted sum; the score weighs the components' scores by responsibility."""
        log_weights, parts = cast(tuple[Tensor, tuple[Constants, ...]], constants)
        pairs = [
            _rows_of(component, points, part, branchless)
            for component, part in zip(self.components, parts, strict=True)
        ]
        log_components = torch.stack([log_density for log_density, _ in pairs]) + log_weights
        responsibilities = torch.softmax(log_components, dim=0)
        scores = torch.stack([score for _, score in pairs])
        return torch.logsumexp(log_components, dim=0), (responsibilities[:, None] * scores).sum(dim=0)

    def log_prob(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Log density of the clean data."""
        log_components = torch.stack([component.log_prob(x) for component in self.components], dim=1)
        return torch.logsumexp(log_components + self.weights.log().to(x), dim=1)


def _constants_of(component: Distribution, alpha_bar: float) -> Constants:
    """A component's constants; for a component without constants, alpha_bar itself."""
    if isinstance(component, RowwiseDistribution):
        return component.level_constants(alpha_bar, torch.device("cpu"))
    return (torch.tensor(alpha_bar, dtype=torch.float64),)


def _rows_of(component: Distribution, points: Tensor, constants: Constants, branchless: bool) -> tuple[Tensor, Tensor]:
    if isinstance(component, RowwiseDistribution):
        return component.noised_rows(points, constants, branchless=branchless)
    log_density, score = component.noised(points.T, float(cast(Tensor, constants[0])))
    return log_density, score.T


def _edges(offset: Tensor, half_width: Tensor, *, branchless: bool) -> tuple[Tensor, Tensor]:
    """log(erfc(u - w) - erfc(u + w)) with u = |offset|, and sqrt(pi) / 2 times its derivative; see `UniformBox`."""
    distance = offset.abs()
    to_near, to_far = distance - half_width, distance + half_width
    # exp(-to_far^2) / exp(-to_near^2) - 1, the relative contribution of the far edge.
    weakened = torch.expm1(-4 * half_width * distance)
    bounded = to_near.clamp(max=FAR_TAIL)
    mass = torch.erfc(bounded) - torch.erfc(to_far)
    log_mass = mass.log()
    peak = torch.exp(-bounded.square())
    outlying = to_near > FAR_TAIL
    # The formula of the tail costs as much as the rest and is rarely needed.
    if branchless or bool(outlying.any()):
        beyond = to_near.clamp(min=FAR_TAIL)
        tail = _scaled_erfc(beyond) - _scaled_erfc(to_far.clamp(min=FAR_TAIL)) * (1 + weakened)
        mass = torch.where(outlying, tail, mass)
        log_mass = torch.where(outlying, tail.log() - beyond.square(), log_mass)
        peak = torch.where(outlying, 1.0, peak)
    return log_mass, offset.sign() * peak * weakened / mass


def _scaled_erfc(x: Tensor) -> Tensor:
    r"""$e^{x^2} \mathrm{erfc}(x)$ for x >= `FAR_TAIL`: the asymptotic series, exact to rounding there.

    $\frac{1}{x \sqrt\pi} \sum_k (-1)^k (2k - 1)!!\, u^k$ with $u = 1 / (2 x^2)$.
    """
    u = 0.5 / x.square()
    series = torch.full_like(u, ERFC_SERIES[-1])
    for coefficient in reversed(ERFC_SERIES[:-1]):
        series = coefficient + u * series
    return series / (x * math.sqrt(math.pi))


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
    """Uniform on a square with a square hole, cut into four boxes: the target of a negation of boxes."""
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
    """Three Gaussians in a vertical column."""
    return GaussianMixture([[x, 0.5], [x, 0.0], [x, -0.5]], std=std)


# The distributions of the official toy notebook, then the components of the nine-task suite.
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
    """The named distribution of `DISTRIBUTIONS`.

    Raises:
        UsageError: no such distribution; the message has the most similar name.
    """
    if name not in DISTRIBUTIONS:
        raise UsageError(unknown("distribution", name, DISTRIBUTIONS))
    return DISTRIBUTIONS[name]()
