"""Measurements of the claims about trained networks of the plane."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from onepaper.claims import ArmResult, ClaimContext, Evidence, Measurement, Plot, Table

from compose_diffusion.config.toy import ENERGY_FORMS, TOY_COMPONENTS, ToyExactConfig, ToyLearnedConfig
from compose_diffusion.diffusion import make_schedule
from compose_diffusion.evaluation.distances import distances
from compose_diffusion.evaluation.learned_toy import TERMS
from compose_diffusion.evaluation.toy_suite import SUITE, SuiteTask
from compose_diffusion.experiments.exact_toy import LABELS, measurement
from compose_diffusion.experiments.figures import samples_over_density
from compose_diffusion.experiments.learned_arms import (
    LAPTOP,
    draw_arm,
    exact_arm,
    form_of,
    suite_arm,
    train_arm,
    trained,
)
from compose_diffusion.experiments.learned_figures import landscapes, learning_curves, suite_panels, target_grid
from compose_diffusion.presets import TOY_PRESETS

LAPTOP_SUITE = cast(ToyLearnedConfig, TOY_PRESETS["laptop-suite"].config)
# Samplers of the comparison, and the measure that ranks them in each task.
ROWS = ("reverse", "ula", "mala", "uhmc", "hmc", "reverse-ula")
SUITE_ROWS = ("reverse", "ula", "hmc")
SHARES = {"product": "accuracy", "mixture": "inside", "negation": "inside"}
FORM_NAMES = {"dae": "denoising autoencoder", "l2": "squared norm", "dot": "dot product"}


def over_seeds(
    context: ClaimContext, config: ToyLearnedConfig, task: str, rows: Sequence[str], *, mixture_form: str = "scaled"
) -> dict[str, dict[int, ArmResult]]:
    """Every row at every seed."""
    arms: dict[str, dict[int, ArmResult]] = {row: {} for row in rows}
    work = [(row, seed) for seed in context.seeds for row in rows]
    for row, seed in context.track(work, f"learned {task}"):
        arms[row][seed] = draw_arm(context, config, task, row, seed, mixture_form=mixture_form)
    return arms


def networks_of(
    context: ClaimContext, configs: Mapping[str, ToyLearnedConfig], components: Sequence[str]
) -> dict[str, dict[str, dict[int, ArmResult]]]:
    """Name of a configuration -> component -> seed -> its training arm; and of the exact prediction, as "exact"."""
    found: dict[str, dict[str, dict[int, ArmResult]]] = {}
    work = [(component, seed) for component in components for seed in context.seeds]
    for component, seed in context.track(work, "training toy networks"):
        for name, config in configs.items():
            found.setdefault(name, {}).setdefault(component, {})[seed] = train_arm(context, config, component, seed)
        exact = exact_arm(context, next(iter(configs.values())), component, seed)
        found.setdefault("exact", {}).setdefault(component, {})[seed] = exact
    return found


def mean_over_components(
    context: ClaimContext, arms: Mapping[str, Mapping[int, ArmResult]], name: str, measure_name: str
) -> Measurement:
    """A measure averaged over the distributions, one value a seed."""
    values = {
        seed: float(np.mean([by_seed[seed][measure_name] for by_seed in arms.values()])) for seed in context.seeds
    }
    return Measurement.over_seeds(name, values)


def energies_train_like_scores(context: ClaimContext) -> Evidence:
    """C5: the same training of energies (denoising autoencoder form) and of scores, on six distributions."""
    config = LAPTOP
    configs = {"energy": form_of(config, "dae"), "score": form_of(config, "score")}
    arms = networks_of(context, configs, TOY_COMPONENTS)
    loss = {name: mean_over_components(context, arms[name], f"loss, {name}", "loss") for name in arms}
    elbo = {name: mean_over_components(context, arms[name], f"ELBO, {name}", "ELBO") for name in arms}
    pairs = zip(context.seeds, loss["energy"].values, loss["score"].values, strict=True)
    ratio = Measurement.over_seeds("loss, energy / score", {seed: energy / score for seed, energy, score in pairs})
    rows: list[list[str | float]] = []
    for component in TOY_COMPONENTS:
        means = [
            float(np.mean([arm[key] for arm in arms[name][component].values()]))
            for key in ("loss", "ELBO")
            for name in ("exact", "score", "energy")
        ]
        rows.append([component, *(f"{value:.4f}" for value in means)])
    columns = [f"{key}, {name}" for key in ("loss", "ELBO") for name in ("exact", "score", "energy")]
    return Evidence(
        f"held-out loss of energies {ratio.mean:.3f} times that of scores; evidence lower bound "
        f"{elbo['energy'].mean:.3f} against {elbo['score'].mean:.3f} nats a sample (exact predictions "
        f"{elbo['exact'].mean:.3f})",
        [ratio, *loss.values(), *elbo.values()],
        [
            Table("Held-out loss, and lower bound in nats a sample; means over the seeds", ["", *columns], rows),
            learning_curves(
                "Learning curves, ring",
                {name: arms[name]["ring"] for name in configs},
                floor=loss_of(arms["exact"]["ring"]),
            ),
        ],
    )


def loss_of(arms: Mapping[int, ArmResult]) -> float:
    """Held-out loss, the mean over seeds."""
    return float(np.mean([arm["loss"] for arm in arms.values()]))


def three_energy_forms(context: ClaimContext) -> Evidence:
    """C7: the three energy forms after equal training on the factors of the product, and their HMC samples."""
    config = LAPTOP
    configs = {form: form_of(config, form) for form in ENERGY_FORMS}
    arms = networks_of(context, configs, TERMS["product"])
    exact = mean_over_components(context, arms["exact"], "loss, exact", "loss")
    excess: list[Measurement] = []
    accuracy: list[Measurement] = []
    rows: list[list[str | float]] = []
    for form, form_config in configs.items():
        loss = mean_over_components(context, arms[form], f"loss, {form}", "loss")
        pairs = zip(context.seeds, loss.values, exact.values, strict=True)
        excess.append(Measurement.over_seeds(f"excess loss, {form}", {seed: a - b for seed, a, b in pairs}))
        drawn = over_seeds(context, form_config, "product", ["hmc"])["hmc"]
        accuracy.append(measurement(drawn, f"HMC accuracy, {form}", "accuracy"))
        rows.append([FORM_NAMES[form], f"{excess[-1].mean:.4f}", f"{accuracy[-1].mean:.3f}"])
    first = context.seeds[0]
    networks = {FORM_NAMES[form]: trained(context, configs[form], "ring", first) for form in configs}
    summary = ", ".join(f"{form} {m.mean:.4f}" for form, m in zip(configs, excess, strict=True))
    return Evidence(
        f"held-out loss above the exact prediction's: {summary}",
        [*excess, *accuracy],
        [
            Table(
                "Means over the seeds", ["form", "loss above the exact one's", "accuracy of the product by HMC"], rows
            ),
            landscapes(networks, make_schedule(config.network.schedule)),
            learning_curves(
                "Learning curves, ring",
                {FORM_NAMES[form]: arms[form]["ring"] for form in configs},
                floor=loss_of(arms["exact"]["ring"]),
            ),
        ],
    )


def samplers_on_a_learned_product(context: ClaimContext) -> Evidence:
    """C8a: all samplers on ring and bar; in the table also score networks, for HMC with line integrals."""
    config = LAPTOP
    by_score = over_seeds(context, form_of(config, "score"), "product", ["reverse", "hmc"])
    others = {"reverse, score networks": by_score["reverse"], "HMC, score networks by line integrals": by_score["hmc"]}
    found = ranking(context, config, "product", others)
    arms = over_seeds(context, form_of(config, "dae"), "product", ROWS)
    exact = ToyExactConfig()
    total_variation = [
        Measurement.over_seeds(
            f"{LABELS[row]} total variation",
            {
                seed: distances(exact, torch.from_numpy(np.asarray(arm["samples"])), seed)["total variation"]
                for seed, arm in by_seed.items()
            },
        )
        for row, by_seed in arms.items()
    ]
    summary = ", ".join(f"{LABELS[row]} {m.mean:.3f}" for row, m in zip(arms, total_variation, strict=True))
    return replace(
        found,
        headline=f"accuracy: {found.headline}; total variation to the product: {summary}",
        measured=[*found.measured, *total_variation],
    )


def samplers_on_a_learned_mixture(context: ClaimContext) -> Evidence:
    """C8b: all samplers on the left or the right bar; in the table also the official form of the mixture."""
    config = LAPTOP
    official = over_seeds(context, config, "mixture", ["reverse", "hmc"], mixture_form="official")
    others = {"reverse, official mixture": official["reverse"], "HMC, official mixture": official["hmc"]}
    return ranking(context, config, "mixture", others)


def samplers_on_a_learned_negation(context: ClaimContext) -> Evidence:
    """C8c: all samplers on the big box without the small one."""
    return ranking(context, LAPTOP, "negation", {})


def ranking(
    context: ClaimContext, config: ToyLearnedConfig, task: str, others: Mapping[str, Mapping[int, ArmResult]]
) -> Evidence:
    """All rows on one task, and further ones for the table."""
    share = SHARES[task]
    arms = {LABELS[row]: by_seed for row, by_seed in over_seeds(context, form_of(config, "dae"), task, ROWS).items()}
    measured = [measurement(by_seed, f"{label} {share}", share) for label, by_seed in arms.items()]
    everything = {**arms, **others}
    columns = [name for name in next(iter(everything.values()))[context.seeds[0]] if name != "samples"]
    rows: list[list[str | float]] = [
        [label, *(f"{np.mean([arm[name] for arm in by_seed.values()]):.4g}" for name in columns)]
        for label, by_seed in everything.items()
    ]
    shown = {label: by_seed[context.seeds[0]]["samples"] for label, by_seed in everything.items()}
    notes = {
        label: f"{share} {np.mean([arm[share] for arm in by_seed.values()]):.3f}"
        for label, by_seed in everything.items()
    }
    figure = samples_over_density(shown, target_grid(task), notes=notes)
    return Evidence(
        ", ".join(f"{label} {m.mean:.3f}" for label, m in zip(arms, measured, strict=True)),
        measured,
        [
            Plot(
                f"Samplers on the learned {task}",
                figure,
                "Points: samples of the first seed. Contours: the exact log density of the target, near zero noise.",
                clouds=True,
            ),
            Table("Means over the seeds", ["sampler", *columns], rows),
        ],
    )


def distilled_energies(context: ClaimContext) -> Evidence:
    """X5: energies that match a score network, against energies trained on the noise: loss, and the product by HMC."""
    direct = form_of(LAPTOP, "dae")
    configs = {"direct": direct, "distilled": replace(direct, objective="distill")}
    arms = networks_of(context, configs, TERMS["product"])
    loss = [mean_over_components(context, arms[name], f"loss, {name}", "loss") for name in (*configs, "exact")]
    drawn = {name: over_seeds(context, config, "product", ["hmc"])["hmc"] for name, config in configs.items()}
    accuracy = [measurement(by_seed, f"HMC accuracy, {name}", "accuracy") for name, by_seed in drawn.items()]
    return Evidence(
        f"accuracy of the product by HMC: {accuracy[1].mean:.3f} distilled, {accuracy[0].mean:.3f} trained directly; "
        f"held-out loss {loss[1].mean:.4f} and {loss[0].mean:.4f}",
        [*accuracy, *loss],
        [
            learning_curves(
                "Each form's own training loss, ring",
                {name: arms[name]["ring"] for name in configs},
                floor=loss_of(arms["exact"]["ring"]),
                caption="The target of distillation has no noise, so the loss decreases towards 0.",
            )
        ],
    )


def nine_tasks(context: ClaimContext) -> Evidence:
    """X6: the second suite with trained energies, by the reverse process, ULA and HMC."""
    config = form_of(LAPTOP_SUITE, "dae")
    found: dict[str, dict[str, dict[int, ArmResult]]] = {task: {row: {} for row in SUITE_ROWS} for task in SUITE}
    work = [(task, row, seed) for seed in context.seeds for task in SUITE.values() for row in SUITE_ROWS]
    for task, row, seed in context.track(work, "nine tasks"):
        found[task.name][row][seed] = suite_arm(context, config, task, row, seed)
    measured = [
        Measurement.over_seeds(
            f"{operator}s, {LABELS[row]}",
            {
                seed: float(np.mean([found[task.name][row][seed]["accuracy"] for task in tasks]))
                for seed in context.seeds
            },
        )
        for operator, tasks in _tasks_by_operator().items()
        for row in SUITE_ROWS
    ]
    table: list[list[str | float]] = []
    for task in SUITE.values():
        cells = [
            "empty" if task.empty else f"{np.mean([arm[name] for arm in found[task.name][row].values()]):.3f}"
            for name in ("accuracy", "Chamfer distance")
            for row in SUITE_ROWS
        ]
        table.append([task.name, *cells])
    columns = [f"{name}, {LABELS[row]}" for name in ("accuracy", "Chamfer distance") for row in SUITE_ROWS]
    return Evidence(
        "; ".join(f"{m.name} {m.mean:.3f}" for m in measured),
        measured,
        [
            Table("Support accuracy and Chamfer distance, means over the seeds", ["task", *columns], table),
            Plot(
                "The nine tasks",
                suite_panels(found, SUITE_ROWS, context.seeds[0]),
                "Points: samples of the first seed.",
                clouds=True,
            ),
        ],
    )


def _tasks_by_operator() -> dict[str, list[SuiteTask]]:
    """The tasks that have a target."""
    tasks: dict[str, list[SuiteTask]] = {}
    for task in SUITE.values():
        if not task.empty:
            tasks.setdefault(task.operator, []).append(task)
    return tasks
