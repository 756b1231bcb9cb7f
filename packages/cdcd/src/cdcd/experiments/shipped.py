"""Claims that are measured on the network that ships: the time warping, masks, and samplers of one checkpoint."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus, held_out_windows, load
from cdcd.evaluation.completions import Prompts, held_out_prompts, make_evaluators
from cdcd.evaluation.evaluators import Evaluators
from cdcd.evaluation.frontier import FrontierPoint, draw_frontier, frontier_point
from cdcd.evaluation.held_out import loss_by_level, nats_by_mask
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import open_network
from cdcd.sampling import Sampler

# Networks that are measured: names of shipped weights.
WEIGHTS, EVALUATOR = "speeches", "speeches-evaluator"

# Windows of held-out text, and levels of u.
WINDOWS, BINS = 512, 20

# Completions for each seed, by tier.
PROMPTS = {"quick": 128, "full": 512, "retrain": 512}

# Steps of the quick comparison of final tokens.
FINAL_STEPS = 100

STEP_COUNTS = (5, 10, 20, 50, 100, 200)
SCORE_TEMPERATURES = (0.8, 0.9, 0.95, 0.98, 1.0)
GUIDANCE = (1.0, 2.0, 4.0, 8.0)
RHOS = (1.0, 2.0, 4.0, 8.0)

# Steps of the sweeps.
SWEEP_STEPS = 50


class Setting(NamedTuple):
    """The network with the text and the models that evaluate it."""

    model: CategoricalDiffusion
    corpus: Corpus
    evaluators: Evaluators


@functools.cache
def setting() -> Setting:
    """The shipped networks and their data."""
    network = open_network(WEIGHTS, CategoricalDiffusion)
    corpus = load(network.data, network.model.config.vocab_size)
    return Setting(network.model, corpus, make_evaluators(open_network(EVALUATOR, AutoregressiveLM).model, corpus))


def _prompts(context: ClaimContext, found: Setting) -> Prompts:
    return held_out_prompts(found.corpus, found.model.config.length, PROMPTS[context.tier])


def _measure(context: ClaimContext, seed: int, options: SamplingOptions) -> dict[str, float]:
    """Quality and diversity of the completions of one seed, kept as an arm."""

    def sample() -> dict[str, float]:
        found = setting()
        prompts = _prompts(context, found)
        tokens = Sampler(found.model, options).sample(prompts.tokens, prompts.mask, seed=seed).tokens
        return found.evaluators.measure(np.asarray(tokens), prompts.mask)

    return context.arm(f"completions {options}", seed, sample)


def _sweep(
    context: ClaimContext, variants: dict[str, SamplingOptions], quantities: Sequence[str]
) -> dict[str, dict[str, Measurement]]:
    """Measurements by quantity and variant; the name of one is "QUANTITY, VARIANT"."""
    rows = {name: {seed: _measure(context, seed, o) for seed in context.seeds} for name, o in variants.items()}
    return {
        quantity: {
            name: Measurement.over_seeds(
                f"{quantity}, {name}", {seed: row[KEYS[quantity]] for seed, row in row.items()}
            )
            for name, row in rows.items()
        }
        for quantity in quantities
    }


KEYS = {"AR-NLL": "ar_nll_completion", "KN-NLL": "kn_nll_completion", "entropy": "entropy", "repetition": "repetition"}


def _table(measured: dict[str, dict[str, Measurement]]) -> Table:
    names = list(next(iter(measured.values())))
    rows = [(name, *(f"{measured[quantity][name].mean:.3f}" for quantity in measured)) for name in names]
    return Table("Completions", ("sampling", *measured), rows)


def _evidence(
    context: ClaimContext,
    measured: dict[str, dict[str, Measurement]],
    curves: Mapping[str, Mapping[str, str]],
    more: Sequence[Measurement] = (),
) -> Evidence:
    """All measurements, a table of their means, and the frontier of quality and entropy.

    Args:
        context: of the claim.
        measured: by quantity and variant.
        curves: the variant of each label, by the name of the curve.
        more: measurements that stand in neither the table nor the figure.
    """
    every = [measurement for by_name in measured.values() for measurement in by_name.values()]

    def point(label: str, variant: str) -> FrontierPoint:
        return FrontierPoint(label, measured["entropy"][variant].interval(), measured["AR-NLL"][variant].interval())

    found = setting()
    prompts = _prompts(context, found)
    text = frontier_point("", [found.evaluators.measure(prompts.tokens, prompts.mask)])
    points = {name: [point(*item) for item in labelled.items()] for name, labelled in curves.items()}
    figure = Plot("Quality against entropy", draw_frontier(points, {"held-out text": text}))
    return Evidence("", [*every, *more], [_table(measured), figure])


def loss_over_u(context: ClaimContext) -> Evidence:
    """How straight the loss is as a function of u, and as a function of t."""
    found = setting()
    warp = found.model.warp.averaged()
    windows = held_out_windows(found.corpus.test, found.model.config.length, WINDOWS)
    u = (np.arange(BINS) + 0.5) / BINS
    levels = np.asarray(warp.inverse(jnp.asarray(u)))
    even = warp.t_min + u * (warp.t_max - warp.t_min)
    by_u = {seed: loss_by_level(found.model, windows, levels, seed=seed) for seed in context.seeds}
    by_t = {seed: loss_by_level(found.model, windows, even, seed=seed) for seed in context.seeds}
    curves = {"by u": (u, by_u[context.seeds[0]]), "by t": (u, by_t[context.seeds[0]])}
    return Evidence(
        "",
        [
            Measurement.over_seeds("R^2 by u", {seed: straightness(u, losses)[0] for seed, losses in by_u.items()}),
            Measurement.over_seeds(
                "largest deviation by u", {seed: straightness(u, losses)[1] for seed, losses in by_u.items()}
            ),
            Measurement.over_seeds("R^2 by t", {seed: straightness(u, losses)[0] for seed, losses in by_t.items()}),
        ],
        [Plot("Loss over the range of noise levels", lines(curves, "u, or t scaled to [0, 1]", "nats"))],
    )


def straightness(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """R^2 of the least-squares line, and the largest deviation from it divided by the range of y."""
    slope, intercept = np.polyfit(x, y, 1)
    errors = y - (slope * x + intercept)
    return float(1 - errors.var() / y.var()), float(np.abs(errors).max() / np.ptp(y))


def weight_of_levels(context: ClaimContext) -> Evidence:
    """Part of the warped noise levels at which the loss is between 5% and 95% of that at t_max."""
    found = setting()
    warp = found.model.warp.averaged()
    windows = held_out_windows(found.corpus.test, found.model.config.length, WINDOWS)
    levels = np.asarray(warp.inverse((jnp.arange(100) + 0.5) / 100))
    shares, ratios = dict[int, float](), dict[int, float]()
    unigram = _cross_entropy_of_unigrams(found.corpus)
    for seed in context.seeds:
        highest = loss_by_level(found.model, windows, np.array([warp.t_max]), seed=seed)[0]
        parts = loss_by_level(found.model, windows, levels, seed=seed) / highest
        shares[seed] = float(((parts > 0.05) & (parts < 0.95)).mean())
        ratios[seed] = float(highest / unigram)
    return Evidence(
        "",
        [
            Measurement.over_seeds("share of intermediate levels", shares),
            Measurement.over_seeds("loss at t_max over unigram cross-entropy", ratios),
        ],
    )


def _cross_entropy_of_unigrams(corpus: Corpus) -> float:
    """Nats per test token under the frequencies of the training part, each count plus one."""
    counts = np.bincount(corpus.train, minlength=corpus.codec.vocab_size) + 1.0
    return float(-np.log(counts / counts.sum())[corpus.test].mean())


def loss_of_masks(context: ClaimContext) -> Evidence:
    """Lead of each mask of equal size over no given tokens, in standard errors of the difference."""
    found = setting()
    windows = held_out_windows(found.corpus.test, found.model.config.length, WINDOWS)
    leads: dict[str, dict[int, float]] = {}
    for seed in context.seeds:
        nats = nats_by_mask(found.model, windows, seed=seed)
        nothing = nats.pop("nothing")
        for name, values in nats.items():
            difference = nothing - values
            error = difference.std(ddof=1) / np.sqrt(len(difference))
            leads.setdefault(name, {})[seed] = float(difference.mean() / error)
    return Evidence("", [Measurement.over_seeds(f"lead of {name}", values) for name, values in leads.items()])


def final_tokens(context: ClaimContext) -> Evidence:
    """AR-NLL of completions by a final evaluation and by the nearest embeddings, from the same noise."""
    found = setting()
    prompts = _prompts(context, found)
    variants = {"evaluated": "evaluate", "nearest to the prediction": "prediction"}
    agreement, by_name = dict[int, float](), {name: dict[int, float]() for name in variants}
    tokens = dict[str, np.ndarray]()
    for seed in context.seeds:
        for name, final in variants.items():
            options = SamplingOptions(steps=FINAL_STEPS, final=final)  # type: ignore[arg-type]
            tokens[name] = np.asarray(
                Sampler(found.model, options).sample(prompts.tokens, prompts.mask, seed=seed).tokens
            )
            by_name[name][seed] = found.evaluators.measure(tokens[name], prompts.mask)["ar_nll_completion"]
        first, second = tokens.values()
        agreement[seed] = float((first == second)[prompts.mask].mean())
    measured = [Measurement.over_seeds(f"AR-NLL, {name}", values, "nats") for name, values in by_name.items()]
    return Evidence(
        "",
        [*measured, Measurement.over_seeds("equal tokens", agreement)],
        [Note("\n".join(found.corpus.codec.decode(row) for row in tokens["evaluated"][:4]))],
    )


def steps_of_euler(context: ClaimContext) -> Evidence:
    """Completions by the number of Euler steps."""
    variants = {f"{steps} steps": SamplingOptions(steps=steps) for steps in STEP_COUNTS}
    measured = _sweep(context, variants, ("AR-NLL", "KN-NLL", "entropy"))
    nll = measured["AR-NLL"]
    gaps = {
        seed: (at_50 - at_200) / (at_10 - at_200) if at_10 != at_200 else float("nan")
        for seed, at_10, at_50, at_200 in zip(
            context.seeds, *(nll[f"{steps} steps"].values for steps in (10, 50, 200)), strict=True
        )
    }
    curves = {"Euler, by steps": {str(steps): f"{steps} steps" for steps in STEP_COUNTS}}
    return _evidence(context, measured, curves, [Measurement.over_seeds("share of the gap left at 50 steps", gaps)])


def heun_against_euler(context: ClaimContext) -> Evidence:
    """Heun with half of the steps, which makes as many evaluations as Euler."""
    variants = {
        "Euler 10": SamplingOptions(steps=10),
        "Heun 5": SamplingOptions(steps=5, solver="heun"),
        "Euler 200": SamplingOptions(steps=200),
        "Heun 100": SamplingOptions(steps=100, solver="heun"),
    }
    curves = {
        "Euler, by steps": {"10": "Euler 10", "200": "Euler 200"},
        "Heun, by steps": {"5": "Heun 5", "100": "Heun 100"},
    }
    return _evidence(context, _sweep(context, variants, ("AR-NLL", "KN-NLL", "entropy")), curves)


def temperatures(context: ClaimContext) -> Evidence:
    """Entropy that the score temperature has at the quality of a softmax temperature of 0.8."""
    variants = {
        f"score temperature {value}": SamplingOptions(steps=SWEEP_STEPS, score_temperature=value)
        for value in SCORE_TEMPERATURES
    }
    variants["softmax temperature 0.8"] = SamplingOptions(steps=SWEEP_STEPS, softmax_temperature=0.8)
    variants["nucleus 0.8"] = SamplingOptions(steps=SWEEP_STEPS, nucleus=0.8)
    variants["initial scale 0.8"] = SamplingOptions(steps=SWEEP_STEPS, initial_scale=0.8)
    measured = _sweep(context, variants, ("AR-NLL", "KN-NLL", "entropy"))
    names = [f"score temperature {value}" for value in SCORE_TEMPERATURES]
    at_equal = {}
    for number, seed in enumerate(context.seeds):
        nll = [measured["AR-NLL"][name].values[number] for name in names]
        entropy = [measured["entropy"][name].values[number] for name in names]
        order = np.argsort(nll)
        wanted = measured["AR-NLL"]["softmax temperature 0.8"].values[number]
        at_equal[seed] = float(np.interp(wanted, np.array(nll)[order], np.array(entropy)[order]))
    curves = {"score temperature": dict(zip(map(str, SCORE_TEMPERATURES), names, strict=True))} | {
        name: {"0.8": f"{name} 0.8"} for name in ("softmax temperature", "nucleus", "initial scale")
    }
    more = [Measurement.over_seeds("entropy, score temperature at equal AR-NLL", at_equal)]
    return _evidence(context, measured, curves, more)


def guidance(context: ClaimContext) -> Evidence:
    """Completions by the scale of guidance."""
    variants = {f"guidance {scale:g}": SamplingOptions(steps=SWEEP_STEPS, guidance=scale) for scale in GUIDANCE}
    curves = {"guidance": {f"{scale:g}": f"guidance {scale:g}" for scale in GUIDANCE}}
    return _evidence(context, _sweep(context, variants, ("AR-NLL", "KN-NLL", "entropy", "repetition")), curves)


def spacings(context: ClaimContext) -> Evidence:
    """Completions by the spacing of the steps, with and without the time warping."""
    variants = {
        f"{kind} {rho:g}": SamplingOptions(steps=SWEEP_STEPS, spacing=spacing, rho=rho)  # type: ignore[arg-type]
        for kind, spacing in (("unwarped", "karras"), ("warped", "warped-karras"))
        for rho in RHOS
    }
    curves = {f"{kind}, by rho": {f"{rho:g}": f"{kind} {rho:g}" for rho in RHOS} for kind in ("unwarped", "warped")}
    return _evidence(context, _sweep(context, variants, ("AR-NLL", "KN-NLL", "entropy")), curves)
