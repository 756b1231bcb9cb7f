r"""One signal-to-noise ratio in place of time, speed and mass.

A token starts as mass s on its coordinate, $Y_0 = s\,e_k$. Divided by its conditional scale, the noisy vector
$v = c\,y$ with $c = 1/(1-\kappa)$ has coordinates Gamma(a_i, 1), except that of the token,
Gamma(a_k + N, 1) with N ~ Poisson(m). So the distribution of v depends on time t, speed b and mass s only through

$$m = \frac{s\,\kappa}{1 - \kappa}, \qquad \kappa = e^{-bt},$$

where 0 is pure noise and infinity the token itself. The rest of the package works in v and log m; these functions
convert to and from the paper's y and t.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from onepaper.config import check_positive
from onepaper.errors import UsageError

Scalar = float | Float[Array, "..."]


def snr_from_elapsed(elapsed: Scalar, mass: Scalar = 1.0) -> Float[Array, "..."]:
    r"""$m = s / (e^{bt} - 1)$ after b t = `elapsed`; infinite at 0."""
    return mass / jnp.expm1(jnp.asarray(elapsed))


def elapsed_from_snr(snr: Scalar, mass: Scalar = 1.0) -> Float[Array, "..."]:
    r"""$b t = \log(1 + s / m)$, the inverse of `snr_from_elapsed`."""
    return jnp.log1p(mass / jnp.asarray(snr))


def scale_from_snr(snr: Scalar, mass: Scalar = 1.0) -> Float[Array, "..."]:
    r"""$c = 1 / (1 - \kappa) = 1 + m / s$, so that $v = c\,y$."""
    return 1 + jnp.asarray(snr) / mass


def identifying_snr(num_categories: int) -> float:
    """An SNR at which a token among n is known almost surely: 40 + 4 log n; the remaining error decreases as
    exp(-m / 2)."""
    return 40.0 + 4.0 * float(np.log(num_categories))


def snr_grid(
    num_steps: int, *, lowest: float = 1e-2, highest: float = 40.0, dilation: float = 1.0
) -> Float[np.ndarray, " levels"]:
    """`num_steps` + 1 SNRs from noise to data, evenly spaced in log m within each half of the range of log m.

    Args:
        num_steps: steps between them.
        lowest: m of the first.
        highest: m of the last.
        dilation: how much closer they are in the upper half, where tokens are decided, than in the lower half (time
            dilation, Avdeyev et al. 2023); 1 spaces all evenly.

    Raises:
        UsageError: no step, an empty range, or a dilation that is not positive.
    """
    check_positive("num_steps", num_steps)
    check_positive("lowest", lowest)
    check_positive("dilation", dilation)
    if not lowest < highest < np.inf:
        raise UsageError(
            f"SNR goes from {lowest} to {highest}, expected an increasing range of finite numbers; raise `highest`"
        )
    shares = np.interp(np.linspace(0, 1, num_steps + 1), [0, 1 / (1 + dilation), 1], [0, 0.5, 1])
    return lowest * (highest / lowest) ** shares


def check_levels(snrs: ArrayLike, *, either_way: bool = False) -> None:
    """Check a sequence of SNRs: above 0 and increasing, or also decreasing where `either_way` is true.

    Raises:
        UsageError: any other levels, where they are concrete.
    """
    if isinstance(snrs, Tracer):
        return
    levels = np.asarray(snrs, np.float64)
    steps = np.diff(levels) if levels.ndim == 1 else np.full(1, np.nan)
    ordered = (steps >= 0).all() or (either_way and (steps <= 0).all())
    if levels.size == 0 or not (levels > 0).all() or not np.isfinite(levels).all() or not ordered:
        order = "in order" if either_way else "in increasing order"
        raise UsageError(f"SNRs are {np.array2string(levels, threshold=6)}, expected numbers above 0 {order}")
