"""Importance sampling of log SNRs, so that an integral over them is estimated with little variance.

The bound's integrand as a function of log m is bell-shaped: below the bell tokens are unknown, above it they are known.
Uniform draws on both sides contribute almost nothing. Any distribution gives an unbiased estimate, as each draw is
divided by its density.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from onepaper.config import check_positive
from onepaper.errors import UsageError
from scipy.special import expit

# Share of the uniform distribution in every other one, so that no density is near 0 where an integrand, against
# expectation, is not.
UNIFORM_SHARE = 0.1
# Bins that approximate a smooth density.
BINS = 64


@dataclass(frozen=True, eq=False)
class SnrDistribution:
    """A density over log m that is constant within bins.

    Args:
        edges: [bins + 1], increasing, log m.
        masses: [bins], probabilities > 0 of the bins, scaled to sum to 1.

    Raises:
        UsageError: edges that do not increase, or masses that are not positive.
    """

    edges: Float[np.ndarray, " edges"]
    masses: Float[np.ndarray, " bins"]

    def __post_init__(self) -> None:
        edges, masses = np.asarray(self.edges, np.float64), np.asarray(self.masses, np.float64)
        if edges.ndim != 1 or masses.shape != (len(edges) - 1,) or not (np.diff(edges) > 0).all():
            raise UsageError(
                f"SNR distribution has {len(edges)} edges and {len(masses)} masses, expected increasing edges, one "
                "more than masses"
            )
        if not (masses > 0).all() or not np.isfinite(masses).all():
            raise UsageError(f"masses are {masses.tolist()}, expected finite numbers > 0")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "masses", masses / masses.sum())

    @classmethod
    def even(cls, lowest_snr: float, highest_snr: float) -> "SnrDistribution":
        """The uniform distribution of log SNR on the range."""
        return cls(_edges(lowest_snr, highest_snr, 1), np.ones(1))

    @classmethod
    def logistic(cls, lowest_snr: float, highest_snr: float, *, centre: float, scale: float = 1.0) -> "SnrDistribution":
        """A logistic density truncated to the range, mixed with `UNIFORM_SHARE` of the uniform one.

        Args:
            lowest_snr: m at the lower end of the range.
            highest_snr: m at the upper end.
            centre: m at the mode; the integrand of independent tokens is largest near log n to 2 log n.
            scale: of the logistic, in log m.
        """
        check_positive("centre", centre)
        check_positive("scale", scale)
        edges = _edges(lowest_snr, highest_snr, BINS)
        bell = np.diff(expit((edges - np.log(centre)) / scale))
        return cls(edges, _with_uniform_share(bell))

    @classmethod
    def fitted(
        cls, log_snrs: Float[np.ndarray, "..."], values: Float[np.ndarray, "..."], lowest_snr: float, highest_snr: float
    ) -> "SnrDistribution":
        r"""A histogram estimated from an integrand: bins have the mass $\propto \sqrt{\mathrm{mean}(f^2)}$ of `values`.

        This histogram has the least variance for independent draws. Estimate it on other sequences than those to be
        evaluated.

        Args:
            log_snrs: points of the integrand, several in each of `BINS` / 4 bins.
            values: the integrand per unit of log m.
            lowest_snr: m at the lower end of the range.
            highest_snr: m at the upper end.

        Raises:
            UsageError: a bin without a point.
        """
        edges = _edges(lowest_snr, highest_snr, BINS // 4)
        bin_index = np.clip(np.searchsorted(edges, np.ravel(log_snrs), side="right") - 1, 0, len(edges) - 2)
        counts = np.bincount(bin_index, minlength=len(edges) - 1)
        if not counts.all():
            raise UsageError(f"{(counts == 0).sum()} of {len(counts)} bins have no value, expected more points")
        squares = np.bincount(bin_index, np.square(np.ravel(values), dtype=np.float64), len(edges) - 1) / counts
        return cls(edges, _with_uniform_share(np.sqrt(squares)))

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest SNR."""
        return float(np.exp(self.edges[0])), float(np.exp(self.edges[-1]))

    def quantile(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The log m with cumulative probability u."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.masses)])
        return jnp.interp(u, jnp.asarray(cumulative / cumulative[-1], u.dtype), jnp.asarray(self.edges, u.dtype))

    def density(self, log_snr: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Per unit of log m, for values within the range."""
        bin_index = jnp.searchsorted(jnp.asarray(self.edges[1:-1], log_snr.dtype), log_snr, side="right")
        return jnp.asarray(self.masses / np.diff(self.edges), log_snr.dtype)[bin_index]


def _edges(lowest_snr: float, highest_snr: float, bins: int) -> Float[np.ndarray, " edges"]:
    check_positive("lowest_snr", lowest_snr)
    if not highest_snr > lowest_snr:
        raise UsageError(f"SNR goes from {lowest_snr} to {highest_snr}, expected an increasing range")
    return np.linspace(np.log(lowest_snr), np.log(highest_snr), bins + 1)


def _with_uniform_share(masses: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " bins"]:
    return (1 - UNIFORM_SHARE) * masses / masses.sum() + UNIFORM_SHARE / len(masses)
