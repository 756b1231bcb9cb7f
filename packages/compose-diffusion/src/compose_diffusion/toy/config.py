"""Settings of the exact toy: which composition of the plane is sampled, and the rows of samplers that are compared."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from onepaper.config import check_choice, check_positive
from onepaper.paper import Preset

from compose_diffusion.sampler_options import SamplerOptions

TASKS = ("product", "mixture", "negation")
# Rows of the comparison, in the order of the paper's argument: what everyone did, MCMC alone, both together.
ROWS = ("reverse", "ula", "mala", "uhmc", "hmc", "reverse-ula", "reverse-hmc")


@dataclass(frozen=True)
class ToyExactConfig:
    """Samplers side by side on a composition whose noised densities are known in closed form (no network).

    The defaults are the official toy's: cosine levels, one constant step size for all of them, ten moves a level. What
    its description leaves open is a field: `last_level` and `momentum` of the two kernels, and `reverse_variance`.
    """

    task: Literal["product", "mixture", "negation"] = "product"
    """product: ring and bar; mixture: left or right bar; negation: a Gaussian without another"""
    num_samples: int = 2000
    num_levels: int = 100
    langevin: SamplerOptions = SamplerOptions(kernel="ula", step_scale=1e-3)
    """step size and number of moves of ULA and MALA"""
    hamiltonian: SamplerOptions = SamplerOptions(kernel="hmc", step_scale=0.03)
    """step size, moves, leapfrog steps and damping of U-HMC and HMC"""
    reverse_variance: Literal["beta", "posterior"] = "posterior"
    """variance of an ancestral step"""

    def __post_init__(self) -> None:
        check_choice("task", self.task, TASKS)
        check_positive("num_samples", self.num_samples)
        check_positive("num_levels", self.num_levels)

    def sampler(self, row: str) -> SamplerOptions:
        """The sampler of a row, e.g. "ula", or "reverse-hmc" for an ancestral step and then HMC at each level."""
        check_choice("sampler", row, ROWS)
        kernel = cast('Literal["ula", "mala", "uhmc", "hmc"]', row.removeprefix("reverse-"))
        base = self.hamiltonian if kernel in ("uhmc", "hmc") else self.langevin
        base = replace(base, reverse_variance=self.reverse_variance)
        if row == "reverse":
            return replace(base, method="reverse")
        method = "reverse-mcmc" if row.startswith("reverse-") else "annealed"
        return replace(base, method=method, kernel=kernel)


_OFFICIAL = ToyExactConfig()

TOY_PRESETS = {
    "paper-toy-exact": Preset("the official toy's constant steps, every open choice pinned", _OFFICIAL),
    "laptop-toy-exact": Preset(
        "the same densities; three times the moves, and HMC where the product is narrow",
        replace(
            _OFFICIAL,
            langevin=replace(_OFFICIAL.langevin, steps_per_level=30),
            hamiltonian=replace(
                _OFFICIAL.hamiltonian, step_law="sigma-power", step_scale=0.7, steps_per_level=100, first_level=10
            ),
        ),
    ),
}
