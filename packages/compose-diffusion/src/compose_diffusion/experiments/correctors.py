"""Measurements of extensions of the paper: the Feynman-Kac corrector, and preconditioned MCMC.

Rules and settings were fixed before the recorded seeds were run.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from onepaper.claims import ArmResult, ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import lines_with_intervals
from torch import Tensor

from compose_diffusion.algebra.composition import Expression, product
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.data.distributions import GaussianMixture
from compose_diffusion.diffusion import NoiseSchedule, cosine_schedule
from compose_diffusion.evaluation.exact_toy import composition, log_density_grid, measure
from compose_diffusion.experiments.figures import samples_over_density
from compose_diffusion.mcmc.adaptation import warm_up_preconditioners
from compose_diffusion.mcmc.preconditioning import Preconditioning
from compose_diffusion.samplers.samplers import draw

PRODUCT = ToyExactConfig()
PARTICLES = (125, 500, 2000)
CORRECTOR = SamplerOptions(method="fkc", steps_per_level=0)
REVERSE = SamplerOptions(method="reverse", reverse_variance="posterior")
SHOWN_LEVEL = 3


@dataclass(frozen=True)
class SteepConfig:
    """A product of two elongated, rotated Gaussians; MCMC runs at the lowest level only.

    The reverse process ends with the wrong variance along the long axis, which MCMC is to correct.
    """

    num_samples: int = 8000
    num_levels: int = 100
    long_variance: float = 4.0
    thin_variance: float = 1e-4
    angle: float = 0.5
    """angle of the long axis, radians"""
    mcmc: SamplerOptions = SamplerOptions(
        method="reverse-mcmc",
        reverse_variance="posterior",
        kernel="hmc",
        steps_per_level=20,
        num_leapfrog=3,
        step_scale=0.5,
        damping=0.0,
        first_level=0,
        momentum="per-level",
    )
    """step size in units of the smallest standard deviation (plain) or of the estimated coordinates.

    The trajectory is a quarter of a period: half a period, pi, would only reflect an isotropic Gaussian.
    """
    pilot_samples: int = 500
    pilot_steps: int = 3


STEEP = SteepConfig()
COORDINATES = {"reverse": "none", "plain HMC": "plain", "preconditioned HMC": "learnt"}


def corrector_run(
    num_particles: int, seed: int, options: SamplerOptions = CORRECTOR
) -> Mapping[str, float | np.ndarray]:
    """One run on the product of ring and bar, by the corrector or by the reverse process."""
    config = replace(PRODUCT, num_samples=num_particles)
    schedule = cosine_schedule(config.num_levels)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(num_particles, 2, generator=generator, dtype=torch.float64)
    begun = time.perf_counter()
    result = draw(composition(config, schedule), schedule, start, options, generator)
    found: dict[str, float | np.ndarray] = {
        **measure(config, result.x, seed),
        "seconds": time.perf_counter() - begun,
        "samples": result.x.float().numpy(),
    }
    if result.population is not None:
        shares = result.population.ess / num_particles
        found |= {
            "effective share": float(shares[0]),
            "lowest effective share": float(shares.min()),
            "resamplings": float(result.population.num_resamplings),
            "distinct share": len(result.x.unique(dim=0)) / num_particles,
            "effective shares": shares.numpy(),
            "log weights": result.population.log_weights.numpy(),
        }
    return found


def corrector_on_a_product(context: ClaimContext) -> Evidence:
    """X7: the weighted particles of the corrector against the reverse process, with equal numbers of scores."""
    arms: dict[str, dict[int, ArmResult]] = {}
    runs = [("reverse", PARTICLES[-1], REVERSE), *((f"FKC, N={count}", count, CORRECTOR) for count in PARTICLES)]
    for name, count, options in context.track(runs, "corrector"):
        for seed in context.seeds:
            arms.setdefault(name, {})[seed] = context.arm(
                f"corrector/{name}", seed, partial(corrector_run, count, seed, options)
            )
    rows = list(arms)
    measured = [
        Measurement.over_seeds(f"{name} {what}", {seed: arm[what] for seed, arm in arms[name].items()})
        for name in rows
        for what in ("accuracy", "MMD^2", "upper mode")
    ]
    by_name = {each.name: each for each in measured}
    shown = {name: next(iter(by_seed.values()))["samples"][:1500] for name, by_seed in arms.items()}
    grid = log_density_grid(PRODUCT, min(SHOWN_LEVEL, PRODUCT.num_levels - 1)).numpy()
    notes = {name: f"accuracy {by_name[f'{name} accuracy'].mean:.3f}" for name in rows}
    last = f"FKC, N={PARTICLES[-1]}"
    return Evidence(
        f"accuracy {by_name[f'{last} accuracy'].mean:.3f} with {PARTICLES[-1]:,} weighted particles, "
        f"{by_name['reverse accuracy'].mean:.3f} without weights, as many scores each",
        measured,
        [
            Plot(
                "Product of ring and bar",
                samples_over_density(shown, grid, notes=notes),
                clouds=True,
            ),
            Plot("Effective sample size", _ess_over_levels(arms)),
            _table(arms),
        ],
    )


def _ess_over_levels(arms: Mapping[str, Mapping[int, ArmResult]]) -> Figure:
    """Effective sample size over the number of particles, at each level."""
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for name, by_seed in arms.items():
        if name == "reverse":
            continue
        shares = np.stack([arm["effective shares"] for arm in by_seed.values()])
        lines[name] = [(float(s.mean()), float(s.min()), float(s.max())) for s in shares.T]
    levels = range(PRODUCT.num_levels)
    return lines_with_intervals(
        levels, lines, "noise level (0 is data)", "effective sample size / particles", log_x=False,
        band_label="range of the seeds",
    )  # fmt: skip


def _table(arms: Mapping[str, Mapping[int, ArmResult]]) -> Table:
    columns = (
        "accuracy", "upper mode", "variance error", "MMD^2", "lowest effective share", "resamplings", "distinct share",
    )  # fmt: skip
    rows: list[list[str | float]] = []
    for name, by_seed in arms.items():
        known = [[arm[column] for arm in by_seed.values() if column in arm] for column in columns]
        rows.append([name, *(f"{np.mean(values):.4g}" if values else "" for values in known)])
    return Table("Means over the seeds", ["sampler", *columns], rows)


def steep_product(config: SteepConfig, schedule: NoiseSchedule) -> tuple[Expression, Tensor]:
    """The product of two equal Gaussians about the origin, and the rotation whose columns are its axes."""
    cosine, sine = math.cos(config.angle), math.sin(config.angle)
    axes = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
    variances = torch.tensor([config.long_variance, config.thin_variance], dtype=torch.float64)
    covariances = (axes @ variances.diag() @ axes.mT)[None]
    one, two = (ExactLeaf(GaussianMixture([[0.0, 0.0]], covariances=covariances), schedule) for _ in range(2))
    return product(one, two), axes


def steep_run(config: SteepConfig, coordinates: str, seed: int) -> Mapping[str, float]:
    """Variances at level 0 over the exact ones, along the long and the thin axis.

    Args:
        config: the product.
        coordinates: "none" for the reverse process without MCMC, "plain" for MCMC in the data's coordinates and
            "learnt" for a full preconditioner from a pilot population.
        seed: of the pilot and the run.
    """
    schedule = cosine_schedule(config.num_levels)
    expression, axes = steep_product(config, schedule)
    alpha_bar = float(schedule.alphas_cumprod[0])
    exact = [(alpha_bar * variance + 1 - alpha_bar) / 2 for variance in (config.long_variance, config.thin_variance)]
    generator = torch.Generator().manual_seed(seed)
    preconditioning: Preconditioning | None = None
    options = config.mcmc
    if coordinates == "none":
        options = replace(options, steps_per_level=0)
    elif coordinates == "plain":
        options = replace(options, step_scale=options.step_scale * exact[1] ** 0.5)
    else:
        pilot = torch.randn(config.pilot_samples, 2, generator=generator, dtype=torch.float64)
        at_all = replace(options, method="annealed", first_level=None, steps_per_level=config.pilot_steps)
        preconditioning = warm_up_preconditioners(expression, schedule, pilot, at_all, generator, kind="full")
    start = torch.randn(config.num_samples, 2, generator=generator, dtype=torch.float64)
    result = draw(
        expression, schedule, start, options, generator, preconditioning=preconditioning, keep_trajectory=True
    )
    assert result.trajectory is not None
    # Before the step to clean data: the samples of level 0, whose distribution is known.
    along = (result.trajectory[-2] @ axes).square().mean(dim=0)
    return {
        "long variance": float(along[0]) / exact[0],
        "thin variance": float(along[1]) / exact[1],
        "acceptance": float(result.acceptance[0]),
    }


def preconditioning_a_steep_product(context: ClaimContext) -> Evidence:
    """X8: the same number of HMC steps in the data's coordinates and in those of a preconditioner."""
    found: dict[str, dict[int, ArmResult]] = {label: {} for label in COORDINATES}
    work = [(label, seed) for label in COORDINATES for seed in context.seeds]
    for label, seed in context.track(work, "steep product"):
        run = partial(steep_run, STEEP, COORDINATES[label], seed)
        found[label][seed] = context.arm(f"steep/{COORDINATES[label]}", seed, run)
    measured = [
        Measurement.over_seeds(f"{label}, {axis}", {seed: arm[f"{axis} variance"] for seed, arm in by_seed.items()})
        for axis in ("long", "thin")
        for label, by_seed in found.items()
    ]
    errors = [
        Measurement.over_seeds(
            f"{label}, error", {seed: abs(math.log(arm["long variance"])) for seed, arm in by_seed.items()}
        )
        for label, by_seed in found.items()
    ]
    columns = ("long variance", "thin variance", "acceptance")
    rows: list[list[str | float]] = [
        [label, *(f"{np.mean([arm[column] for arm in by_seed.values()]):.4g}" for column in columns)]
        for label, by_seed in found.items()
    ]
    return Evidence(
        f"variance along the long axis over the exact one: reverse {measured[0].mean:.3f}, with "
        f"{STEEP.mcmc.steps_per_level} plain HMC steps {measured[1].mean:.3f}, preconditioned {measured[2].mean:.3f}",
        [*measured, *errors],
        [Table("Means over the seeds", ["MCMC at level 0", *columns], rows)],
    )
