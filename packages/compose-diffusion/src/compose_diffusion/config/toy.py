"""Configurations of the toy: compositions of the plane, samplers to compare, networks and their training."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from onepaper.config import check_choice, check_positive
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

from compose_diffusion.config.networks import FitConfig, ScheduleConfig
from compose_diffusion.config.samplers import SamplerOptions

TASKS = ("product", "mixture", "negation")
# Samplers of the comparison: the reverse process, MCMC alone, both together.
ROWS = ("reverse", "ula", "mala", "uhmc", "hmc", "reverse-ula", "reverse-hmc")


@dataclass(frozen=True)
class ToyExactConfig:
    """Comparison of samplers on a composition with closed-form noised densities (no network).

    The defaults are those of the official toy notebook: cosine levels, a constant step size, ten MCMC steps per level.
    Choices it leaves open are fields: `last_level` and `momentum` of the kernels, and `reverse_variance`.
    """

    task: Literal["product", "mixture", "negation"] = "product"
    """product: ring and bar; mixture: left or right bar; negation: one Gaussian negated by another"""
    num_samples: int = 2000
    num_levels: int = 100
    langevin: SamplerOptions = SamplerOptions(kernel="ula", step_scale=1e-3)
    """step size and number of steps of ULA and MALA"""
    hamiltonian: SamplerOptions = SamplerOptions(kernel="hmc", step_scale=0.03)
    """step size, number of steps, leapfrog steps and damping of U-HMC and HMC"""
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


# Energy forms of the vector output h of a network (paper, section 4.2); with "score", h is the predicted noise.
ENERGY_FORMS = ("dae", "l2", "dot")
FORMS = (*ENERGY_FORMS, "score")
OBJECTIVES = ("noise", "distill")
TOY_COMPONENTS = ("ring", "bar", "left-bar", "right-bar", "big-box", "small-box")
SUITE_COMPONENTS = (
    "ring", "suite-narrow-bar", "suite-left-circle", "suite-right-circle", "suite-left-box", "suite-right-box",
    "suite-left-column", "suite-right-column", "suite-big-box", "suite-small-box", "suite-tall-bar",
)  # fmt: skip


@dataclass(frozen=True)
class ToyNetworkConfig:
    """The residual MLP of the plane; `width` sets its size and is 128 in the paper."""

    form: Literal["dae", "l2", "dot", "score"] = "dae"
    """dae, l2, dot: the energy is sum (h - x)^2, sum h^2 / 2 or x . h; score: h is the predicted noise"""
    width: int = 128
    """of the residual stream; hidden layers of a block are twice as wide"""
    num_blocks: int = 4
    time_dim: int = 32
    """size of the learnt embedding of a noise level"""
    schedule: ScheduleConfig = ScheduleConfig()
    """noise levels it is trained on; saved with its weights"""

    def __post_init__(self) -> None:
        check_choice("form", self.form, FORMS)
        check_positive("width", self.width)
        check_positive("num_blocks", self.num_blocks)
        check_positive("time_dim", self.time_dim)


# Of the official toy notebook: Adam at a constant rate, and a moving average that starts at the initial weights.
PAPER_OPTIMIZER = OptimizerOptions(name="adam", lr=1e-3, ema_decay=0.999)


@dataclass(frozen=True)
class ToyLearnedConfig:
    """One network for each distribution of the plane, and their training."""

    network: ToyNetworkConfig = ToyNetworkConfig()
    fit: FitConfig = FitConfig(steps=15_001, batch_size=1000, optimizer=PAPER_OPTIMIZER)
    """every step uses new samples"""
    components: tuple[str, ...] = TOY_COMPONENTS
    """distributions; each has its own network"""
    objective: Literal["noise", "distill"] = "noise"
    """noise: predict the noise; distill: match the prediction of a score network that is trained first"""

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, OBJECTIVES)
        if not self.components or len(set(self.components)) != len(self.components):
            raise UsageError(f"components are {list(self.components)}, expected at least one, each once")
        for component in self.components:
            check_choice("component", component, tuple(dict.fromkeys((*TOY_COMPONENTS, *SUITE_COMPONENTS))))
        if self.objective == "distill" and self.network.form == "score":
            raise UsageError(
                "objective is 'distill' with form 'score', expected one of dae, l2, dot: a score network is what is "
                "distilled from"
            )
