"""Settings of the samplers in `samplers.samplers`."""

from dataclasses import dataclass
from typing import Literal

from onepaper.config import check_between, check_choice, check_non_negative, check_positive
from onepaper.errors import UsageError

METHODS = ("reverse", "annealed", "reverse-mcmc", "fkc")
KERNELS = ("ula", "mala", "uhmc", "hmc")
STEP_LAWS = ("constant", "beta-power", "sigma-power", "table")
MOMENTA = ("kept", "per-level")


@dataclass(frozen=True)
class SamplerOptions:
    """How to sample from a composition. The defaults are the HMC settings of the official toy notebook.

    Attributes:
        method: "reverse" (ancestral steps only), "annealed" (MCMC at every level, no ancestral step), "reverse-mcmc"
            (an ancestral step to the next level, then MCMC there) or "fkc" (the Feynman-Kac corrector: steps, weights
            and resampling, then MCMC there; products of densities only).
        kernel: transition used for MCMC.
        steps_per_level: K, MCMC steps at each level; 0 or more.
        step_law: "constant", h = scale; "beta-power", h = scale * beta_t ** power; "sigma-power",
            h = scale * sigma_t ** power; "table", one step size for each level from `step_table`.
        step_scale: see `step_law`; above 0. Squared length for ULA and MALA, length for U-HMC and HMC (mass 1).
        step_power: see `step_law`; at least 0.
        step_table: step sizes for levels 0 .. T - 1, for `step_law` "table" only.
        num_leapfrog: leapfrog steps of one (U-)HMC step; at least 1.
        damping: fraction of the momentum kept at each refreshment, 0 (full refreshment) to 1 (none).
        mass: mass of every coordinate; above 0. Mass m with step h is equivalent to mass 1 with step h / sqrt(m).
        momentum: "kept" from level to level, as in the official toy notebook, or sampled "per-level".
        reverse_variance: variance of an ancestral step, "beta" or "posterior".
        first_level: highest level at which MCMC runs, None for the top.
        last_level: lowest level at which MCMC runs; the official toy notebook stops ULA and U-HMC at 1.
        clip_x0: bound on the clean estimate in ancestral steps, None for no bound; not with "fkc", whose weights
            assume unclipped steps.
        line_points: with score-only models, quadrature points of the line integral of the score that replaces the
            energy difference in MALA and HMC (Sjöberg et al., 2023); "path" for the points of the leapfrog trajectory,
            without further evaluations; None to use energies.
        ess_threshold: with "fkc", resample where the effective sample size falls below this fraction of the particles,
            0 (never) to 1 (at every level).
    """

    method: Literal["reverse", "annealed", "reverse-mcmc", "fkc"] = "annealed"
    kernel: Literal["ula", "mala", "uhmc", "hmc"] = "hmc"
    steps_per_level: int = 10
    step_law: Literal["constant", "beta-power", "sigma-power", "table"] = "constant"
    step_scale: float = 0.03
    step_power: float = 1.0
    step_table: tuple[float, ...] = ()
    num_leapfrog: int = 3
    damping: float = 0.5
    mass: float = 1.0
    momentum: Literal["kept", "per-level"] = "kept"
    reverse_variance: Literal["beta", "posterior"] = "beta"
    first_level: int | None = None
    last_level: int = 0
    clip_x0: float | None = None
    line_points: int | Literal["path"] | None = None
    ess_threshold: float = 0.5

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("kernel", self.kernel, KERNELS)
        check_choice("step_law", self.step_law, STEP_LAWS)
        check_choice("momentum", self.momentum, MOMENTA)
        check_choice("reverse_variance", self.reverse_variance, ("beta", "posterior"))
        check_non_negative("steps_per_level", self.steps_per_level)
        check_positive("step_scale", self.step_scale)
        check_non_negative("step_power", self.step_power)
        for level, step in enumerate(self.step_table):
            check_positive(f"step_table[{level}]", step)
        if bool(self.step_table) != (self.step_law == "table"):
            raise UsageError(
                f"step_law is '{self.step_law}' with a step_table of {len(self.step_table)} entries, expected entries "
                "with 'table' and none otherwise"
            )
        check_positive("num_leapfrog", self.num_leapfrog)
        check_between("damping", self.damping, 0.0, 1.0)
        check_positive("mass", self.mass)
        check_non_negative("last_level", self.last_level)
        if self.first_level is not None and self.first_level < self.last_level:
            raise UsageError(
                f"MCMC window goes from level {self.first_level} down to {self.last_level}, expected first_level >= "
                "last_level; swap them"
            )
        if self.clip_x0 is not None:
            check_positive("clip_x0", self.clip_x0)
        if isinstance(self.line_points, int) and self.line_points < 2:
            raise UsageError(f"line_points is {self.line_points}, expected at least the 2 ends of the line")
        check_between("ess_threshold", self.ess_threshold, 0.0, 1.0)
        if self.method == "fkc" and self.clip_x0 is not None:
            raise UsageError(
                f"clip_x0 is {self.clip_x0} with method 'fkc', expected none: its weights assume unclipped steps"
            )
