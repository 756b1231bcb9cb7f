"""Measurements of the claims about exact densities of the plane."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
from onepaper.claims import ArmResult, ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import lines_with_intervals

from compose_diffusion.config.toy import ToyExactConfig
from compose_diffusion.diffusion import cosine_schedule
from compose_diffusion.evaluation.exact_toy import (
    diagnose,
    log_density_grid,
    measure,
    run_row,
    settled_variance,
    true_samples,
)
from compose_diffusion.experiments.figures import samples_over_density
from compose_diffusion.presets import TOY_PRESETS

LABELS = {
    "true": "true samples",
    "reverse": "reverse",
    "ula": "ULA",
    "mala": "MALA",
    "uhmc": "U-HMC",
    "hmc": "HMC",
    "reverse-ula": "reverse + ULA",
    "reverse-hmc": "reverse + HMC",
}
STEPS_PER_LEVEL = (1, 3, 10, 30)
PAPER_TOY = cast(ToyExactConfig, TOY_PRESETS["paper-toy-exact"].config)
LAPTOP_TOY = cast(ToyExactConfig, TOY_PRESETS["laptop-toy-exact"].config)
# Accuracies of an independent implementation of the same experiment (one seed, float64).
REFERENCE_ACCURACY = {
    "true": 0.995,
    "reverse": 0.640,
    "ula": 0.821,
    "mala": 0.719,
    "uhmc": 0.873,
    "hmc": 0.891,
    "reverse-ula": 0.952,
    "reverse-hmc": 0.922,
}
# Alternatives for choices that the official code leaves open, and the rows they affect.
OTHER_CHOICES = {
    "stop at level 1": ("ula", "mala", "uhmc", "hmc"),
    "momentum anew at each level": ("uhmc", "hmc", "reverse-hmc"),
    "reverse variance beta": ("reverse", "reverse-ula", "reverse-hmc"),
}
# In units of the mode's variance (Langevin) and standard deviation (Hamiltonian), below the stability limit.
LANGEVIN_STEPS = (0.1, 0.3, 0.6, 1.0)
HAMILTONIAN_STEPS = (0.3, 0.6, 0.9)
# Level of the plotted density: low enough to show both modes, high enough for visible contours.
SHOWN_LEVEL = 3


def run_arm(context: ClaimContext, config: ToyExactConfig, name: str, row: str, seed: int) -> ArmResult:
    """One sampler at one seed: measures, statistics of the run, and samples; shared by several claims."""

    def compute() -> Mapping[str, float | np.ndarray]:
        import torch

        if row == "true":
            x = true_samples(config, torch.Generator().manual_seed(seed))
            return {**measure(config, x, seed), "samples": x.float().numpy()}
        result, seconds = run_row(config, row, seed)
        return {
            **measure(config, result.x, seed),
            **diagnose(result),
            "seconds": seconds,
            "samples": result.x.float().numpy(),
        }

    return context.arm(f"{name}/{config.task}/{row}", seed, compute)


def over_seeds(
    context: ClaimContext, config: ToyExactConfig, name: str, rows: Sequence[str]
) -> dict[str, dict[int, ArmResult]]:
    """Every row at every seed of the context."""
    work = [(row, seed) for row in rows for seed in context.seeds]
    arms: dict[str, dict[int, ArmResult]] = {row: {} for row in rows}
    for row, seed in context.track(work, "exact toy"):
        arms[row][seed] = run_arm(context, config, name, row, seed)
    return arms


def measurement(arms: Mapping[int, ArmResult], name: str, measure_name: str) -> Measurement:
    """One measure of one row over the seeds."""
    return Measurement.over_seeds(name, {seed: arm[measure_name] for seed, arm in arms.items()})


def accuracies(arms: Mapping[str, Mapping[int, ArmResult]]) -> list[Measurement]:
    """The 3-sigma accuracy of each row, named by the row's label."""
    return [measurement(by_seed, f"{LABELS[row]} accuracy", "accuracy") for row, by_seed in arms.items()]


def panels(config: ToyExactConfig, arms: Mapping[str, Mapping[int, ArmResult]], title: str, note: str = "") -> Plot:
    """Samples of the first seed over the composed density, one panel per sampler, with the mean of a measure."""
    shown = {LABELS[row]: next(iter(by_seed.values()))["samples"] for row, by_seed in arms.items()}
    notes = {
        LABELS[row]: f"{note} {np.mean([arm[note] for arm in by_seed.values()]):.3f}" if note else ""
        for row, by_seed in arms.items()
    }
    level = min(SHOWN_LEVEL, config.num_levels - 1)
    figure = samples_over_density(shown, log_density_grid(config, level).numpy(), notes=notes)
    caption = "Points: samples of the first seed. Contours: the composed log density near zero noise."
    return Plot(title, figure, caption, clouds=True)


def table_of(arms: Mapping[str, Mapping[int, ArmResult]], names: Sequence[str], title: str) -> Table:
    """Means over the seeds, one row per sampler."""
    rows = []
    for row, by_seed in arms.items():
        cells: list[str | float] = [LABELS[row]]
        for name in names:
            values = [arm[name] for arm in by_seed.values() if name in arm]
            cells.append(f"{np.mean(values):.4g}" if values else "")
        rows.append(cells)
    return Table(title, ["sampler", *names], rows)


PRODUCT_COLUMNS = (
    "accuracy", "log likelihood", "outside", "variance error", "MMD^2", "upper mode", "acceptance", "last acceptance",
    "gradient evaluations",
)  # fmt: skip


def reverse_on_a_product(context: ClaimContext) -> Evidence:
    """C1: reverse diffusion with the summed exact scores, against samples of the product itself."""
    arms = over_seeds(context, PAPER_TOY, "paper", ["true", "reverse"])
    measured = accuracies(arms)
    return Evidence(
        f"{measured[1].mean:.1%} of the samples lie on a true mode, of true samples {measured[0].mean:.1%}",
        measured,
        [panels(PAPER_TOY, arms, "Product of ring and bar", "accuracy")],
    )


def mcmc_on_a_product(context: ClaimContext) -> Evidence:
    """C2: the same scores with MCMC at every level, and with more MCMC steps."""
    arms = over_seeds(context, PAPER_TOY, "paper", list(LABELS))
    rows = accuracies(arms)
    sweeps: dict[str, list[Measurement]] = {"ula": [], "reverse-ula": []}
    for mcmc_steps in STEPS_PER_LEVEL:
        config = replace(PAPER_TOY, langevin=replace(PAPER_TOY.langevin, steps_per_level=mcmc_steps))
        name = "paper" if config == PAPER_TOY else f"paper, {mcmc_steps} moves"
        for row, by_seed in over_seeds(context, config, name, list(sweeps)).items():
            sweeps[row].append(measurement(by_seed, f"{LABELS[row]} accuracy, K={mcmc_steps}", "accuracy"))
    lines = {LABELS[row]: [(m.mean, m.low, m.high) for m in sweep] for row, sweep in sweeps.items()}
    reverse, others = rows[1].mean, [row.mean for row in rows[2:]]
    return Evidence(
        f"reverse {reverse:.3f}, with MCMC {min(others):.3f} to {max(others):.3f}; reverse + ULA rises to "
        f"{sweeps['reverse-ula'][-1].mean:.3f} at K={STEPS_PER_LEVEL[-1]}",
        [*rows, *sweeps["ula"], *sweeps["reverse-ula"]],
        [
            panels(PAPER_TOY, arms, "All samplers on the product of ring and bar", "accuracy"),
            table_of(arms, PRODUCT_COLUMNS, "Means over the seeds"),
            Plot(
                "More MCMC steps at each level",
                lines_with_intervals(
                    STEPS_PER_LEVEL,
                    lines,
                    "MCMC steps at each level, K",
                    "accuracy",
                    reference=("reverse alone", reverse),
                ),
            ),
        ],
    )


def sampler_not_model(context: ClaimContext) -> Evidence:
    """C3: the same exact scores with different samplers."""
    reverse = over_seeds(context, PAPER_TOY, "paper", ["true", "reverse"])
    tuned = over_seeds(context, LAPTOP_TOY, "laptop", ["reverse-ula", "reverse-hmc"])
    arms = {**reverse, **tuned}
    measured = accuracies(arms)
    return Evidence(
        f"reverse {measured[1].mean:.3f}, reverse + ULA with 30 steps per level {measured[2].mean:.3f}, true samples "
        f"{measured[0].mean:.3f}",
        measured,
        [
            panels(LAPTOP_TOY, arms, "The same exact scores, another sampler", "accuracy"),
            table_of(arms, PRODUCT_COLUMNS, "Means over the seeds"),
        ],
    )


def metropolis_once_mixed(context: ClaimContext) -> Evidence:
    """C4: stationary variance of long chains against the exact one, for increasing step sizes.

    At the lowest level the product is two Gaussians of known variance s^2. Chains start from it, so a change of the
    variance is the bias of the kernel.
    """
    work = [
        (kernel, step, seed)
        for kernels, steps in ((("ula", "mala"), LANGEVIN_STEPS), (("uhmc", "hmc"), HAMILTONIAN_STEPS))
        for kernel in kernels
        for step in steps
        for seed in context.seeds
    ]
    found: dict[str, dict[int, float]] = {}
    for kernel, step, seed in context.track(work, "long chains"):
        arm = context.arm(f"stationary/{kernel}/{step}", seed, partial(settled_variance, PAPER_TOY, kernel, step, seed))
        found.setdefault(stationary_name(kernel, step), {})[seed] = arm["variance ratio"]
    measured = [Measurement.over_seeds(name, values) for name, values in found.items()]
    by_name = {m.name: (m.mean, m.low, m.high) for m in measured}
    plots = [
        Plot(
            title,
            lines_with_intervals(
                steps,
                {LABELS[kernel]: [by_name[stationary_name(kernel, step)] for step in steps] for kernel in kernels},
                label,
                "variance / exact variance s^2",
                log_x=False,
                reference=("exact", 1.0),
            ),
        )
        for title, kernels, steps, label in (
            ("Langevin", ("ula", "mala"), LANGEVIN_STEPS, "step size in units of s^2"),
            ("Hamiltonian", ("uhmc", "hmc"), HAMILTONIAN_STEPS, "step size in units of s"),
        )
    ]
    last = {kernel: by_name[stationary_name(kernel, 1.0)][0] for kernel in ("ula", "mala")}
    return Evidence(
        f"variance at the largest Langevin step: ULA {last['ula']:.2f}, MALA {last['mala']:.2f} times the exact one",
        measured,
        plots,
    )


def stationary_name(kernel: str, step: float) -> str:
    """Name of the measurement of one kernel and step size."""
    return f"{LABELS[kernel]} variance, h={step:g}{'s^2' if kernel in ('ula', 'mala') else 's'}"


def metropolis_in_the_annealed_run(context: ClaimContext) -> Evidence:
    """X4: adjusted against unadjusted kernels in the annealed run, at the official step sizes."""
    arms = over_seeds(context, PAPER_TOY, "paper", ["ula", "mala", "uhmc", "hmc"])
    measured = accuracies(arms)
    ula, mala, uhmc, hmc = (row.mean for row in measured)
    return Evidence(
        f"MALA {mala:.3f} against ULA {ula:.3f}; HMC {hmc:.3f} against U-HMC {uhmc:.3f}",
        measured,
        [table_of(arms, PRODUCT_COLUMNS, "Means over the seeds, official step sizes")],
    )


def reference_table(context: ClaimContext) -> Evidence:
    """X1, X2: every sampler of the official toy against an independent implementation, and alternative choices."""
    arms = over_seeds(context, PAPER_TOY, "paper", list(LABELS))
    measured = accuracies(arms)
    few = replace(context, seeds=context.seeds[:3])
    variants = {
        "stop at level 1": replace(
            PAPER_TOY,
            langevin=replace(PAPER_TOY.langevin, last_level=1),
            hamiltonian=replace(PAPER_TOY.hamiltonian, last_level=1),
        ),
        "momentum anew at each level": replace(
            PAPER_TOY, hamiltonian=replace(PAPER_TOY.hamiltonian, momentum="per-level")
        ),
        "reverse variance beta": replace(PAPER_TOY, reverse_variance="beta"),
    }
    other = {name: over_seeds(few, config, name, OTHER_CHOICES[name]) for name, config in variants.items()}

    def cell(name: str, row: str) -> str:
        by_seed = other[name].get(row)
        return f"{np.mean([arm['accuracy'] for arm in by_seed.values()]):.3f}" if by_seed else ""

    rows = [
        [LABELS[row], f"{REFERENCE_ACCURACY[row]:.3f}", f"{m.mean:.3f}", *(cell(name, row) for name in other)]
        for row, m in zip(arms, measured, strict=True)
    ]
    largest = max(abs(m.mean - REFERENCE_ACCURACY[row]) for row, m in zip(arms, measured, strict=True))
    return Evidence(
        f"largest difference of a row from the reference: {largest:.3f}",
        measured,
        [Table("3-sigma accuracy (other choices: three seeds)", ["sampler", "reference", "here", *other], rows)],
    )


def energies_of_mixtures_and_negations(context: ClaimContext) -> Evidence:
    """C6: with energies, a mixture has the right weights and a negation the right moments."""
    mixture_config = replace(LAPTOP_TOY, task="mixture")
    negation_config = replace(LAPTOP_TOY, task="negation")
    mixed = over_seeds(context, mixture_config, "laptop", ["true", "reverse", "reverse-hmc"])
    negated = over_seeds(context, negation_config, "laptop", ["true", "reverse", "reverse-hmc"])
    measured = [
        measurement(mixed["reverse-hmc"], "mixture, inside the bars", "inside"),
        measurement(mixed["reverse-hmc"], "mixture, left bar", "left"),
        measurement(negated["reverse-hmc"], "negation, error of the mean", "mean error"),
        measurement(negated["reverse-hmc"], "negation, variance ratio", "variance ratio"),
        measurement(negated["reverse"], "negation by reverse alone, variance ratio", "variance ratio"),
    ]
    return Evidence(
        f"mixture: {measured[0].mean:.1%} inside, {measured[1].mean:.1%} of them left; negation: variance "
        f"{measured[3].mean:.3f} of the exact one (reverse alone {measured[4].mean:.3f})",
        measured,
        [
            panels(mixture_config, mixed, "Left bar or right bar", "inside"),
            table_of(mixed, ("inside", "left", "variance of |x|", "MMD^2"), "Mixture, means over the seeds"),
            table_of(negated, ("mean error", "variance ratio", "MMD^2"), "Negated Gaussian, means over the seeds"),
        ],
    )


def two_gaussians(context: ClaimContext) -> Evidence:
    """X3: reverse diffusion of two equal Gaussians: every step is linear, so the variance is a recursion.

    With leaves N(0, s^2) the noised leaf has variance v_t = abar_t s^2 + sigma_t^2, the summed score is -2 x / v_t, and
    one ancestral step multiplies x by (1 - 2 beta_t / v_t) / sqrt(1 - beta_t) and adds the step's variance.
    """
    variance_of_leaf = 0.25
    schedule = cosine_schedule(100)
    measured = [Measurement.exact("product variance", variance_of_leaf / 2)]
    for kind in ("beta", "posterior"):
        variance = 1.0
        for t in reversed(range(len(schedule))):
            beta, alpha_bar = float(schedule.betas[t]), float(schedule.alphas_cumprod[t])
            before = float(schedule.alphas_cumprod[t - 1]) if t > 0 else 1.0
            noised = alpha_bar * variance_of_leaf + 1 - alpha_bar
            factor = (1 - 2 * beta / noised) / (1 - beta) ** 0.5
            added = beta if kind == "beta" else beta * (1 - before) / (1 - alpha_bar)
            variance = factor**2 * variance + (added if t > 0 else 0.0)
        measured.append(Measurement.exact(f"reverse variance, {kind}", variance))
    return Evidence(
        f"reverse ends with variance {measured[1].mean:.4f} or {measured[2].mean:.4f}, the product has "
        f"{measured[0].mean:.4f}",
        measured,
    )
