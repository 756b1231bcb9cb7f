r"""The forward process and its posterior (paper, section 3.1, eq. 1 to 3).

$q(x_t \mid x_{t-1}) = N(\sqrt{1 - \beta_t}\, x_{t-1}, \beta_t I)$ for t = 1 to T, with
$\bar\alpha_t = \prod_{s \le t} (1 - \beta_s)$ and $\bar\alpha_0 = 1$. The tables are computed in float64.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from onepaper.errors import UsageError

from sed.config import ScheduleConfig

# Offset and largest beta of the cosine schedule (Nichol and Dhariwal, 2021).
OFFSET, LARGEST_BETA = 0.008, 0.999


# One step or several, known before anything is compiled.
Steps = int | Int[np.ndarray, "..."]


class Coefficients(NamedTuple):
    """Factors of the estimate and of the noisy embeddings in the posterior's mean, and its standard deviation."""

    x_0: Float[np.ndarray, "..."]
    x_t: Float[np.ndarray, "..."]
    std: Float[np.ndarray, "..."]


class Posterior(NamedTuple):
    """A Gaussian: mean, and standard deviation of each coordinate."""

    mean: Float[Array, "*batch embed"]
    std: Float[Array, "... 1"]


@dataclass(frozen=True)
class Schedule:
    r"""$\bar\alpha_t$ for t = 0 to T, in float64."""

    alpha_bar: Float[np.ndarray, " steps+1"]

    @classmethod
    def of(cls, config: ScheduleConfig) -> "Schedule":
        """The cosine schedule with the first beta of the configuration."""
        times = np.arange(config.steps + 1) / config.steps
        curve = np.cos((times + OFFSET) / (1 + OFFSET) * np.pi / 2) ** 2
        beta = np.minimum(1 - curve[1:] / curve[:-1], LARGEST_BETA)
        if config.beta_1_mode == "first":
            beta[0] = config.beta_1
        elif config.beta_1_mode == "floor":
            beta = np.maximum(beta, config.beta_1)
        return cls(np.concatenate([[1.0], np.cumprod(1 - beta)]))

    @property
    def steps(self) -> int:
        """T."""
        return len(self.alpha_bar) - 1

    @property
    def beta(self) -> Float[np.ndarray, " steps"]:
        r"""$\beta_t$ for t = 1 to T."""
        return 1 - self.alpha_bar[1:] / self.alpha_bar[:-1]

    def q_sample(
        self, x_0: Float[Array, "*batch embed"], t: Int[Array, "..."], noise: Float[Array, "*batch embed"]
    ) -> Float[Array, "*batch embed"]:
        r"""$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ (paper, eq. 2).

        Args:
            x_0: clean embeddings.
            t: steps, of a shape that broadcasts against all axes but the last.
            noise: standard Gaussian.
        """
        signal = jnp.asarray(np.sqrt(self.alpha_bar), x_0.dtype)[t][..., None]
        scale = jnp.asarray(np.sqrt(1 - self.alpha_bar), x_0.dtype)[t][..., None]
        return signal * x_0 + scale * noise

    def coefficients(self, t: Steps, t_prev: Steps) -> "Coefficients":
        r"""The numbers of `posterior` for steps t and earlier steps t', in float64.

        With $a = \bar\alpha_t / \bar\alpha_{t'}$: of $x_0$
        $\frac{\sqrt{\bar\alpha_{t'}} (1 - a)}{1 - \bar\alpha_t}$, of $x_t$
        $\frac{\sqrt a (1 - \bar\alpha_{t'})}{1 - \bar\alpha_t}$, variance
        $\frac{1 - \bar\alpha_{t'}}{1 - \bar\alpha_t} (1 - a)$.
        """
        now, before = self.alpha_bar[t], self.alpha_bar[t_prev]
        ratio = now / before
        return Coefficients(
            np.sqrt(before) * (1 - ratio) / (1 - now),
            np.sqrt(ratio) * (1 - before) / (1 - now),
            np.sqrt((1 - before) / (1 - now) * (1 - ratio)),
        )

    def posterior(
        self, x_0: Float[Array, "*batch embed"], x_t: Float[Array, "*batch embed"], t: Steps, t_prev: Steps
    ) -> Posterior:
        r"""$p(x_{t'} \mid x_t, x_0)$ for an earlier step t' < t (paper, eq. 3, there for t' = t - 1).

        For t' = 0 it is $x_0$, without noise.

        Args:
            x_0: clean embeddings, or an estimate of them.
            x_t: noisy embeddings of step t.
            t: 1 to T, one number or one for each vector.
            t_prev: earlier steps, 0 to t - 1.
        """
        of_x_0, of_x_t, std = (jnp.asarray(number, x_t.dtype)[..., None] for number in self.coefficients(t, t_prev))
        return Posterior(of_x_0 * x_0 + of_x_t * x_t, std)

    def respaced(self, steps: int) -> Int[np.ndarray, " steps+1"]:
        r"""$\tau_0 = 0 < \tau_1 < \dots < \tau_S = T$, evenly spaced and rounded.

        Raises:
            UsageError: more steps than T.
        """
        if not 1 <= steps <= self.steps:
            raise UsageError(f"sampling.steps is {steps}, expected 1 to {self.steps}, the steps of the schedule")
        return np.round(np.arange(steps + 1) * self.steps / steps).astype(np.int64)
