"""Claims that are measured on the network that ships: tasks, padding, steps, guidance, self-conditioning."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Note, Plot, Table
from onepaper.display.plots import lines

from sed.config import TASKS, SamplingOptions
from sed.data.corpus import Corpus, strip_pads, tokenize
from sed.diffusion.spans import task_mask
from sed.evaluation.evaluators import Evaluators, causal_nats
from sed.evaluation.held_out import denoising_curve
from sed.evaluation.tasks import complete, complete_causally, held_out_task, make_evaluators
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion
from sed.pretrained.networks import Network, open_network

# Networks that are measured: names of shipped weights.
WEIGHTS, EVALUATOR = "kjv", "kjv-evaluator"

# Samples of each seed, by tier, and steps where these are not what is varied.
SAMPLES = {"quick": 64, "full": 512, "retrain": 512}
STEPS = 50

STEP_COUNTS = (10, 20, 50, 100, 250)
GUIDANCE = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
NUCLEUS = (1.0, 0.95, 0.9, 0.85, 0.7, 0.5)

SHOWN = 3

QUANTITIES = {"AR-NLL": "ar_nll", "entropy": "entropy", "repetition": "repetition"}

Rows = Mapping[str, Mapping[int, Mapping[str, float]]]


class Setting(NamedTuple):
    """The network with the text and the models that evaluate it."""

    network: Network[EmbeddingDiffusion]
    corpus: Corpus
    evaluators: Evaluators


@functools.cache
def setting() -> Setting:
    """The shipped networks and their data."""
    network = open_network(WEIGHTS, EmbeddingDiffusion)
    corpus = tokenize(network.data, network.codec)
    return Setting(network, corpus, make_evaluators(open_network(EVALUATOR, AutoregressiveLM).model, corpus))


def _sample(context: ClaimContext, task: str, seed: int, options: SamplingOptions) -> np.ndarray:
    """The tokens of a task, kept as an arm that claims share."""

    def draw() -> dict[str, np.ndarray]:
        found = setting()
        windows = held_out_task(found.network, found.corpus, task, SAMPLES[context.tier])
        return {"tokens": complete(found.network, windows, options, seed=seed)}

    return np.asarray(context.arm(f"{task} {options}", seed, draw)["tokens"])


def _measure(context: ClaimContext, task: str, seed: int, options: SamplingOptions) -> dict[str, float]:
    tokens = _sample(context, task, seed, options)
    found = setting()
    return found.evaluators.measure(tokens, held_out_task(found.network, found.corpus, task, len(tokens)).cond_mask)


def measurements(rows: Rows, quantities: Sequence[str] = ("AR-NLL", "entropy")) -> list[Measurement]:
    """A measurement "QUANTITY, VARIANT" of each quantity and variant."""
    return [
        Measurement.over_seeds(
            f"{quantity}, {name}", {seed: row[QUANTITIES[quantity]] for seed, row in by_seed.items()}
        )
        for quantity in quantities
        for name, by_seed in rows.items()
    ]


def table_of(rows: Rows, data: Mapping[str, float] | None = None) -> Table:
    """Means over seeds by variant, and held-out text in the last row."""
    keys = (
        "ar_nll",
        "kn_nll",
        "entropy",
        "entropy_corrected",
        "repetition",
        "distinct_2",
        "copied",
        "padding",
        "tokens",
    )
    means = {name: {key: np.mean([row[key] for row in rows[name].values()]) for key in keys} for name in rows}
    shown = means | ({"held-out text": data} if data else {})
    content = [(name, *(f"{row[key]:.3f}" for key in keys[:-1]), f"{row['tokens']:.0f}") for name, row in shown.items()]
    return Table("Samples", ("", *(key.replace("_", " ") for key in keys)), content)


def _held_out(context: ClaimContext, task: str = "unconditional") -> dict[str, float]:
    """The same measures of held-out text, at the same positions."""
    found = setting()
    windows = held_out_task(found.network, found.corpus, task, SAMPLES[context.tier])
    return found.evaluators.measure(windows.tokens, windows.cond_mask)


def tasks_of_one_network(context: ClaimContext) -> Evidence:
    """Nats of filled tokens below those of unconditional samples at the same positions, for each task."""
    options = SamplingOptions(steps=STEPS)
    found = setting()
    leads = {task: dict[int, float]() for task in TASKS if task != "unconditional"}
    changed = dict[int, float]()
    notes = []
    for seed in context.seeds:
        free = _sample(context, "unconditional", seed, options)
        free_nats, wrong = _nats_at_positions(free), 0
        for task, lead in leads.items():
            windows = held_out_task(found.network, found.corpus, task, len(free))
            tokens = _sample(context, task, seed, options)
            wrong += int((tokens != windows.tokens)[windows.cond_mask].sum())
            filled = ~windows.cond_mask
            lead[seed] = float(np.nanmean(free_nats[filled]) - np.nanmean(_nats_at_positions(tokens)[filled]))
            if seed == context.seeds[0]:
                notes += [
                    f"{task}: {_show(row, given)}"
                    for row, given in zip(tokens[:SHOWN], windows.cond_mask[:SHOWN], strict=True)
                ]
        changed[seed] = float(wrong)
        if seed == context.seeds[0]:
            notes = [f"unconditional: {found.network.codec.decode(row)}" for row in free[:SHOWN]] + notes
    measured = [Measurement.over_seeds(f"lead of {task}", values, "nats") for task, values in leads.items()]
    return Evidence(
        "", [*measured, Measurement.over_seeds("given tokens that changed", changed)], [Note("\n".join(notes))]
    )


def _nats_at_positions(tokens: np.ndarray) -> np.ndarray:
    """Nats of each token where it stands, given the tokens before it; NaN at padding."""
    text, mask = strip_pads(tokens)
    nats = causal_nats(setting().evaluators.model, text)
    placed = np.full(tokens.shape, np.nan)
    placed[tokens != 0] = nats[mask]
    return placed


def _show(row: np.ndarray, given: np.ndarray) -> str:
    """A sample as text, with what was filled in brackets."""
    codec = setting().network.codec
    cuts = np.flatnonzero(np.diff(given.astype(int))) + 1
    parts = [
        (codec.decode(part), bool(shown[0]))
        for part, shown in zip(np.split(row, cuts), np.split(given, cuts), strict=True)
    ]
    return "".join(text if shown else f"[{text}]" for text, shown in parts)


def padding(context: ClaimContext) -> Evidence:
    """The fraction of padding in unconditional samples, and how evenly it is spread."""
    options = SamplingOptions(steps=STEPS)
    shares, lengths = dict[int, float](), list[np.ndarray]()
    for seed in context.seeds:
        tokens = _sample(context, "unconditional", seed, options)
        shares[seed] = float((tokens == 0).mean())
        lengths.append((tokens != 0).sum(axis=1))
    texts = [
        setting().network.codec.decode(row) for row in _sample(context, "unconditional", context.seeds[0], options)
    ]
    counts = np.bincount(np.concatenate(lengths))
    rows = [(int(length), int(counts[length])) for length in np.flatnonzero(counts)]
    return Evidence(
        "",
        [Measurement.over_seeds("padding", shares)],
        [Table("Lengths of samples without padding", ("tokens", "samples"), rows), Note("\n".join(texts[:8]))],
    )


def steps_of_the_sampler(context: ClaimContext) -> Evidence:
    """Unconditional samples by the number of steps, with and without noise in them."""
    variants = {f"{steps} steps": SamplingOptions(steps=steps) for steps in STEP_COUNTS}
    variants |= {f"{steps} steps, DDIM": SamplingOptions(steps=steps, sampler="ddim") for steps in (20, 100)}
    rows = {
        name: {seed: _measure(context, "unconditional", seed, options) for seed in context.seeds}
        for name, options in variants.items()
    }
    measured = measurements(rows)
    curve = [measured[number].mean for number in range(len(STEP_COUNTS))]
    figure = lines({"DDPM": (STEP_COUNTS, curve)}, "steps", "AR-NLL in nats", log_x=True)
    return Evidence("", measured, [Plot("Quality by steps", figure), table_of(rows, _held_out(context))])


def self_conditioning_at_sampling(context: ClaimContext) -> Evidence:
    """Samples with and without the own estimate, and the denoising curve both ways."""
    variants = {
        "on": SamplingOptions(steps=STEPS),
        "off": SamplingOptions(steps=STEPS, self_conditioning=False),
    }
    rows = {
        name: {seed: _measure(context, "unconditional", seed, options) for seed in context.seeds}
        for name, options in variants.items()
    }
    found = setting()
    windows = held_out_task(found.network, found.corpus, "unconditional", SAMPLES[context.tier]).tokens
    steps = np.arange(50, 1000, 100)
    curve = denoising_curve(found.network.model, windows, steps)
    figure = lines(
        {"without": (steps, curve["accuracy"]), "with the own estimate": (steps, curve["accuracy_self"])},
        "step t",
        "fraction of tokens found",
    )
    return Evidence(
        "", measurements(rows), [Plot("Denoising of held-out text", figure), table_of(rows, _held_out(context))]
    )


def guidance(context: ClaimContext) -> Evidence:
    """Suffixes by the scale of guidance, and those of the causal model by the mass of its nucleus."""
    rows: dict[str, dict[int, dict[str, float]]] = {
        f"guidance {scale:g}": {
            seed: _measure(context, "suffix", seed, SamplingOptions(steps=STEPS, guidance=scale))
            for seed in context.seeds
        }
        for scale in GUIDANCE
    }
    for nucleus in NUCLEUS:
        rows[f"nucleus {nucleus:g}"] = {seed: _causal(context, seed, nucleus) for seed in context.seeds}
    measured = measurements(rows, tuple(QUANTITIES))
    by_name = {measurement.name: measurement.mean for measurement in measured}
    curves = {
        label: tuple(
            [by_name[f"{quantity}, {kind} {value:g}"] for value in values] for quantity in ("entropy", "AR-NLL")
        )
        for label, kind, values in (("SED, guidance", "guidance", GUIDANCE), ("causal, nucleus", "nucleus", NUCLEUS))
    }
    data = _held_out(context, "suffix")
    curves["held-out text"] = ([data["entropy"]], [data["ar_nll"]])
    figure = lines(curves, "unigram entropy in nats", "AR-NLL in nats")  # type: ignore[arg-type]
    return Evidence("", measured, [Plot("Quality and diversity of suffixes", figure), table_of(rows, data)])


def _causal(context: ClaimContext, seed: int, nucleus: float) -> dict[str, float]:
    """Suffixes by the evaluator itself, after what is given without padding."""

    def draw() -> dict[str, float]:
        found = setting()
        task = held_out_task(found.network, found.corpus, "suffix", SAMPLES[context.tier])
        text, given = strip_pads(task.tokens, task.cond_mask)
        task = task._replace(tokens=text, cond_mask=given)
        tokens = complete_causally(found.evaluators.model, task, nucleus=nucleus, seed=seed)
        # As many tokens of each sample as a network writes beside padding, since entropy grows with their number.
        most = round((1 - found.network.data.pad_fraction) * (~task_mask("suffix", tokens.shape[1])).sum())
        counted = ~given & ((~given).cumsum(axis=1) <= most)
        return found.evaluators.measure(tokens, ~counted)

    return context.arm(f"causal suffix {nucleus}", seed, draw)
