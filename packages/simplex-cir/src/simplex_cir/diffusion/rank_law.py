r"""Distribution of the rank of the true token among the noisy coordinates (paper, section 2.3, limitations).

Given the true coordinate $v_k$, the others are independent Gamma(a, 1), so the number of them above it is binomial:

$$\mathrm{rank} - 1 \mid v_k \sim \mathrm{Binomial}\big(n - 1,\, Q(a, v_k)\big), \qquad
v_k \sim \mathrm{Gamma}(a + N, 1),\; N \sim \mathrm{Poisson}(m),$$

Q the upper regularised incomplete gamma function. One integral over $v_k$ therefore gives the distribution for any n.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError
from scipy import special, stats

# Quadrature over v_k: panels and nodes in each, enough for the narrow density of a large m, and the value below which
# the signal is negligible.
PANELS, NODES = 10, 400
NEGLIGIBLE = 1e-18


@dataclass(frozen=True)
class RankLaw:
    """Distribution of the rank of the true token among `num_categories` noisy coordinates; 1 is the largest.

    Args:
        num_categories: n, at least 2.
        snr: m, above 0.
        a: stationary shape of every coordinate.
    """

    num_categories: int
    snr: float
    a: float = 1.0

    def __post_init__(self) -> None:
        if self.num_categories < 2:
            raise UsageError(f"num_categories is {self.num_categories}, expected at least 2")
        check_positive("snr", self.snr)
        check_positive("a", self.a)

    def mean(self) -> float:
        r"""$1 + (n - 1)\, \mathbb{E}\, Q(a, v_k)$; for a = 1 it is $1 + \tfrac{n-1}{2} e^{-m/2}$."""
        if self.a == 1.0:
            return 1 + (self.num_categories - 1) / 2 * float(np.exp(-self.snr / 2))
        weights, above = self._mixture()
        return 1 + (self.num_categories - 1) * float(weights @ above)

    def first(self) -> float:
        """Probability that the true token ranks first."""
        return float(self.cdf(1))

    def cdf(self, rank: int | Int[np.ndarray, " ranks"]) -> Float[np.ndarray, "..."] | np.floating:
        """Probability of that rank or a better one."""
        weights, above = self._mixture()
        ranks = np.asarray(rank)
        return stats.binom.cdf(ranks[..., None] - 1, self.num_categories - 1, above) @ weights

    def quantile(self, probability: float) -> int:
        """Smallest rank whose `cdf` reaches the probability.

        Raises:
            UsageError: a probability outside (0, 1).
        """
        if not 0 < probability < 1:
            raise UsageError(f"probability is {probability}, expected a number between 0 and 1")
        low, high = 1, self.num_categories
        while low < high:
            middle = (low + high) // 2
            if self.cdf(middle) >= probability:
                high = middle
            else:
                low = middle + 1
        return low

    def sample(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Ranks drawn from the binomial form above."""
        own = generator.gamma(self.a + generator.poisson(self.snr, count))
        return 1 + generator.binomial(self.num_categories - 1, special.gammaincc(self.a, own))

    def _mixture(self) -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
        """Weights and success probabilities of the binomial mixture, by Gauss-Legendre panels.

        Above `NEGLIGIBLE` the variable is log v_k. Below, where a small shape still has mass, the true coordinate is
        Gamma(a, 1) up to the factor exp(-m), and the variable is its cumulative probability P(a, v_k).
        """
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        upper = self.a + self.snr + 12 * np.sqrt(self.a + 2 * self.snr) + 40
        edges = np.linspace(np.log(NEGLIGIBLE), np.log(upper), PANELS + 1)
        width = np.diff(edges)[:, None] / 2
        log_v = (edges[:-1, None] + width * (nodes + 1)).ravel()
        v = np.exp(log_v)
        density = 2 * v * stats.ncx2.pdf(2 * v, 2 * self.a, 2 * self.snr)
        below = special.gammainc(self.a, NEGLIGIBLE)
        low_mass = np.exp(-self.snr) * below / 2 * weights
        mass = np.concatenate([density * (width * weights).ravel(), low_mass])
        above = np.concatenate([special.gammaincc(self.a, v), 1 - below / 2 * (nodes + 1)])
        return mass / mass.sum(), above
