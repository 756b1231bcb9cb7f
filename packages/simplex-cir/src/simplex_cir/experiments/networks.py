"""Measurements of the claims about networks: the shipped ones, and comparisons of trainings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.claims import ArmResult, ClaimContext, Evidence, ImageGrid, Measurement, Plot, Table
from onepaper.display.plots import lines, repetitions

from simplex_cir.config import LearnedConfig, SampleOptions
from simplex_cir.data.dataset import decode, encode
from simplex_cir.data.loading import load
from simplex_cir.data.pictures import images, logos, sudokus
from simplex_cir.data.sequences import book, splice_counts
from simplex_cir.data.sudoku import small_sudokus, valid_sudokus
from simplex_cir.diffusion.priors import TablePrior
from simplex_cir.evaluation import excess_divergence, measure_bound, occurrences
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.models.masked_diffusion import masked_bound
from simplex_cir.models.ngrams import ngram_nats
from simplex_cir.presets import PRESETS
from simplex_cir.sampling import UNKNOWN, clamped, draw, draw_by_steps, draw_from, guided_denoiser, parse_clamp
from simplex_cir.training import train, train_masked

Tokens = Int[np.ndarray, "count positions"]
# Number of test sequences for the bound of each network, and of SNRs for each sequence.
BOUND_SIZES: Mapping[str, tuple[int, int]] = {"splice": (2000, 32), "letters": (120, 16), "digits": (180, 8)}
# Grids drawn per seed, and steps; patterns of known positions in splice sites, and draws for each.
NUM_GRIDS, STEPS = 300, 64
CLAMPS = ("CAGGU????", "???GUAAGU", "?AGG?GAG?")
NUM_FILLED, FILLING_STEPS = 500, 32
SWEEP = (1, 4, 16, 64)
GUIDANCES = (0.0, 1.0, 3.0)
TEMPERATURES = (0.7, 1.0, 1.4)
TEXT_STEPS = 32
# Comparisons of trainings, on the data and with the network of laptop-splice: steps, and test sequences.
COMPARISON_STEPS, NUM_COMPARED = 2000, 4000


def preset(name: str) -> LearnedConfig:
    """The preset of a shipped network."""
    return cast(LearnedConfig, PRESETS[f"laptop-{name}"].config)


@lru_cache(maxsize=4)
def shipped_network(name: str) -> SimplexDenoiser:
    """A shipped network."""
    return SimplexDenoiser.from_pretrained(name)


@lru_cache(maxsize=1)
def splice_table() -> TablePrior:
    """The distribution of all occurrences of splice sites."""
    counts = splice_counts()
    return TablePrior(encode(list(counts), load(preset("splice").data).symbols), 4, np.array([*counts.values()], float))


def table_nats(table: TablePrior, tokens: Tokens) -> Float[np.ndarray, " count"]:
    """Minus the log probability of sequences, each of them in the table."""
    assert table.weights is not None
    nats = {row.tobytes(): -np.log(weight) for row, weight in zip(table.sequences, table.weights, strict=True)}
    return np.array([nats[row.tobytes()] for row in np.asarray(tokens, table.sequences.dtype)])


def variation(
    tokens: Tokens, sequences: Int[np.ndarray, "sequences positions"], distribution: Float[np.ndarray, " sequences"]
) -> float:
    """Total variation between drawn sequences and a distribution; draws outside its support count fully."""
    shares = occurrences(tokens, sequences) / len(tokens)
    return float(0.5 * (np.abs(shares - distribution).sum() + 1 - shares.sum()))


def variation_floor(distribution: Float[np.ndarray, " sequences"], count: int, seed: int) -> float:
    """Mean total variation of that many exact draws from their distribution."""
    shares = np.random.default_rng(seed).multinomial(count, distribution, size=100) / count
    return float(0.5 * np.abs(shares - distribution).sum(axis=1).mean())


def bound_arm(context: ClaimContext, name: str, seed: int) -> ArmResult:
    """The bound of a shipped network and of n-gram models on the same test sequences, nats a sequence."""
    count, points = BOUND_SIZES[name]

    def compute() -> Mapping[str, float]:
        data = load(preset(name).data)
        tokens = data.test[np.random.default_rng(seed).permutation(len(data.test))[:count]]
        numbers = {"bound": float(measure_bound(shipped_network(name), data, tokens, points, seed).mean())}
        for order in (1, 2, 4) if name == "letters" else (1, 2):
            counted = ngram_nats(data.train, tokens, data.num_categories, order, positional=name != "letters")
            numbers[f"order {order}"] = float(counted.mean())
        if name == "splice":
            numbers["table"] = float(table_nats(splice_table(), tokens).mean())
        return numbers

    return context.arm(f"bound of {name}, {count} at {points}", seed, compute)


def grids_arm(context: ClaimContext, steps: int, dilation: float, seed: int) -> ArmResult:
    """4 x 4 grids drawn by the shipped network."""

    def compute() -> Mapping[str, np.ndarray]:
        options = SampleOptions(count=NUM_GRIDS, steps=steps, dilation=dilation, seed=seed)
        return {"tokens": draw_from(shipped_network("sudoku4"), options)}

    return context.arm(f"grids, {steps} steps, dilation {dilation:g}", seed, compute)


def drawn_sites(seed: int) -> Tokens:
    """Splice sites drawn by the shipped network, as many as its bound is measured on."""
    return draw_from(
        shipped_network("splice"), SampleOptions(count=BOUND_SIZES["splice"][0], steps=TEXT_STEPS, seed=seed)
    )


def sites_arm(context: ClaimContext, seed: int) -> ArmResult:
    """Drawn splice sites against all occurrences: the fraction that occurs, and its divergence."""

    def compute() -> Mapping[str, float]:
        table, tokens = splice_table(), drawn_sites(seed)
        assert table.weights is not None
        counts = occurrences(tokens, table.sequences)
        return {
            "occur": float(counts.sum() / len(tokens)),
            "divergence": excess_divergence(counts, table.weights, seed),
        }

    return context.arm(f"splice sites drawn, {BOUND_SIZES['splice'][0]} in {TEXT_STEPS} steps", seed, compute)


def over_seeds(context: ClaimContext, name: str, measure: Callable[[int], float], unit: str = "") -> Measurement:
    """A measurement with one value for each seed."""
    return Measurement.over_seeds(name, {seed: measure(seed) for seed in context.seeds}, unit)


def learned_models(context: ClaimContext) -> Evidence:
    """C14: shipped networks on real data, each beside n-gram models on the same test sequences."""
    arms = {
        name: {seed: bound_arm(context, name, seed) for seed in context.seeds}
        for name in context.track(list(BOUND_SIZES), "networks")
    }
    grids = {seed: grids_arm(context, STEPS, 1.0, seed)["tokens"] for seed in context.seeds}
    every = small_sudokus()
    even = np.full(len(every), 1 / len(every))
    bits = 1 / (32 * np.log(2))
    splice, letters, digits = (arms[name] for name in BOUND_SIZES)
    measured = [
        over_seeds(context, "splice: bound less entropy", lambda s: splice[s]["bound"] - splice[s]["table"], "nats"),
        over_seeds(
            context,
            "splice: share of the gap closed",
            lambda s: (splice[s]["order 1"] - splice[s]["bound"]) / (splice[s]["order 1"] - splice[s]["table"]),
        ),
        over_seeds(context, "splice: bound", lambda s: splice[s]["bound"], "nats"),
        over_seeds(context, "splice: Markov chain", lambda s: splice[s]["order 2"], "nats"),
        over_seeds(
            context, "splice: excess divergence of samples", lambda s: sites_arm(context, s)["divergence"], "nats"
        ),
        over_seeds(context, "splice: samples that occur", lambda s: sites_arm(context, s)["occur"]),
        over_seeds(context, "letters: bound", lambda s: letters[s]["bound"] * bits, "bits a character"),
        over_seeds(context, "letters: bigrams", lambda s: letters[s]["order 2"] * bits, "bits a character"),
        over_seeds(context, "letters: 4-grams", lambda s: letters[s]["order 4"] * bits, "bits a character"),
        over_seeds(context, "digits: bound", lambda s: digits[s]["bound"], "nats"),
        over_seeds(context, "digits: independent pixels", lambda s: digits[s]["order 1"], "nats"),
        over_seeds(context, "sudoku: valid grids", lambda s: float(valid_sudokus(grids[s]).mean())),
        over_seeds(
            context,
            "sudoku: excess total variation",
            lambda s: variation(grids[s], every, even) - variation_floor(even, NUM_GRIDS, s),
        ),
    ]
    mean = {measurement.name: measurement.mean for measurement in measured}
    rows = [
        [name, counted, float(np.mean([arms[name][seed][key] for seed in context.seeds])) * scale]
        for name, scale in (("splice", 1.0), ("letters", bits), ("digits", 1.0))
        for counted, key in (
            ("independent tokens", "order 1"),
            ("Markov chain", "order 2"),
            *((("4-grams", "order 4"),) if name == "letters" else ()),
            ("simplex diffusion, bound", "bound"),
            *((("entropy of the table", "table"),) if name == "splice" else ()),
        )
    ]
    drawn = drawn_sites(context.seeds[0])
    return Evidence(
        f"splice sites: {mean['splice: bound less entropy']:.3f} nats above the entropy, "
        f"{mean['splice: share of the gap closed']:.0%} of the gap closed; letters: {mean['letters: bound']:.2f} bits "
        f"(bigrams {mean['letters: bigrams']:.2f}, 4-grams {mean['letters: 4-grams']:.2f}); digits: "
        f"{mean['digits: bound']:.1f} nats (pixels {mean['digits: independent pixels']:.1f}); 4 x 4 Sudoku: "
        f"{mean['sudoku: valid grids']:.1%} valid",
        measured,
        [
            Table("Test sequences: nats each; of letters bits a character", ["data", "model", "value"], rows),
            Plot("Splice sites", logos({"drawn": drawn, "data": load(preset("splice").data).train}, "ACGU")),
            Plot("4 x 4 grids, drawn", sudokus(grids[context.seeds[0]], "1234")),
            Table("Letters, drawn", ["32 characters"], [[text] for text in texts(context.seeds[0], 1.0)[:12]]),
            digits_panel("Digits, drawn: one of each class to a column", drawn_digits(context.seeds[0], 0.0, 4)),
        ],
    )


def texts(seed: int, temperature: float, count: int = 48) -> list[str]:
    """Windows of letters drawn by the shipped network."""
    options = SampleOptions(count=count, steps=TEXT_STEPS, temperature=temperature, seed=seed)
    return decode(draw_from(shipped_network("letters"), options), shipped_network("letters").config.symbols)


def digits_panel(title: str, drawn: Int[np.ndarray, "classes each pixels"]) -> ImageGrid:
    """Drawn digits, one column per class."""
    return ImageGrid(title, images(drawn.transpose(1, 0, 2).reshape(-1, 64)), columns=10, upscale=5)


def drawn_digits(seed: int, guidance: float, each: int) -> Int[np.ndarray, "classes each pixels"]:
    """The same number of each class."""
    return np.asarray(_digits(shipped_network("digits"), jax.random.key(seed), guidance, each)).reshape(10, each, 64)


@partial(jax.jit, static_argnames=("guidance", "each"))
def _digits(model: SimplexDenoiser, key: PRNGKeyArray, guidance: float, each: int) -> Array:
    labels = jnp.repeat(jnp.arange(10), each)
    return draw(key, guided_denoiser(model, labels, guidance), (10 * each, 64, 2), steps=STEPS)


def infilling(context: ClaimContext) -> Evidence:
    """X10: positions filled in by the network, against the conditional distribution of all occurrences of splice
    sites."""
    model, table = shipped_network("splice"), splice_table()
    assert table.weights is not None
    fill = jax.jit(lambda key, model, known: draw(key, clamped(model, known), (NUM_FILLED, 9, 4), steps=FILLING_STEPS))
    train = load(preset("splice").data).train
    excess: dict[str, dict[int, list[float]]] = {
        name: {seed: [] for seed in context.seeds} for name in ("network", "exact posterior", "independent positions")
    }
    rows: list[list[str | float]] = []
    for index, text in enumerate(context.track(CLAMPS, "patterns")):
        known = parse_clamp(text, model.config.symbols, 9)
        given = known != UNKNOWN
        fits = (table.sequences[:, given] == known[given]).all(axis=1)
        truth = TablePrior(table.sequences[fits], 4, table.weights[fits])
        assert truth.weights is not None
        exact = jax.jit(lambda key, truth=truth: draw(key, truth, (NUM_FILLED, 9, 4), steps=FILLING_STEPS))
        for seed in context.seeds:
            key = jax.random.fold_in(jax.random.key(seed), index)
            generator = np.random.default_rng([seed, index])
            # every unknown position from an independently chosen sequence of the data
            alone = np.stack([generator.choice(column, NUM_FILLED) for column in train.T], axis=1)
            drawn = {
                "network": fill(key, model, jnp.asarray(known)),
                "exact posterior": exact(key),
                "independent positions": np.where(given, known, alone),
            }
            floor = variation_floor(truth.weights, NUM_FILLED, seed)
            for name, tokens in drawn.items():
                excess[name][seed].append(variation(np.asarray(tokens), truth.sequences, truth.weights) - floor)
        means = [float(np.mean([by_seed[seed][index] for seed in context.seeds])) for by_seed in excess.values()]
        rows.append([text, int(fits.sum()), *means])
    measured = [
        over_seeds(context, f"excess total variation, {name}", lambda s, by_seed=by_seed: float(np.mean(by_seed[s])))
        for name, by_seed in excess.items()
    ]
    summary = ", ".join(f"{m.mean:.3f} by the {name}" for name, m in zip(excess, measured, strict=True))
    return Evidence(
        f"total variation from the conditional distribution, above that of as many exact draws: {summary}",
        measured,
        [Table(f"Excess total variation of {NUM_FILLED:,} draws", ["known", "completions", *excess], rows)],
    )


def steps_and_validity(context: ClaimContext) -> Evidence:
    """X11: validity of 4 x 4 grids against the number of steps, by the network and by the exact posterior."""
    prior = TablePrior(small_sudokus(), 4)

    def exact_arm(steps: int, seed: int) -> ArmResult:
        def compute() -> Mapping[str, float]:
            grids = draw_by_steps(jax.random.key(seed), prior, (NUM_GRIDS, 16, 4), steps=steps)
            return {"valid": float(valid_sudokus(np.asarray(grids)).mean())}

        return context.arm(f"exact grids, {steps} steps", seed, compute)

    measured, curves = [], {}
    for steps in context.track(SWEEP, "numbers of steps"):
        measured.append(
            over_seeds(
                context,
                f"valid grids, {steps} steps",
                lambda s, steps=steps: float(valid_sudokus(grids_arm(context, steps, 1.0, s)["tokens"]).mean()),
            )
        )
        measured.append(
            over_seeds(
                context, f"valid grids, {steps} steps, exact", lambda s, steps=steps: exact_arm(steps, s)["valid"]
            )
        )
    slower = over_seeds(
        context,
        "valid grids, 16 steps, dilation 4",
        lambda s: float(valid_sudokus(grids_arm(context, 16, 4.0, s)["tokens"]).mean()),
    )
    for name, part in (("network", measured[::2]), ("exact posterior", measured[1::2])):
        curves[name] = (SWEEP, [measurement.mean for measurement in part])
    return Evidence(
        f"valid grids in {', '.join(map(str, SWEEP))} steps: "
        f"{', '.join(f'{m.mean:.1%}' for m in measured[::2])} (exact posterior "
        f"{', '.join(f'{m.mean:.1%}' for m in measured[1::2])}); 16 steps with dilation 4: {slower.mean:.1%}",
        [*measured, slower],
        [
            Plot(
                "Validity when positions are drawn in parallel",
                lines(
                    curves,
                    "number of steps",
                    "share of valid grids",
                    log_x=True,
                    bands={
                        name: ([m.low for m in part], [m.high for m in part])
                        for name, part in zip(curves, (measured[::2], measured[1::2]), strict=True)
                    },
                ),
            )
        ],
    )


def guided_digits(context: ClaimContext) -> Evidence:
    """X12: classes of drawn digits, predicted by a classifier trained on other images than the network."""
    from sklearn.svm import SVC

    data = load(preset("digits").data)
    assert data.labels is not None
    # scikit-learn's types know only the words that gamma may be, not the numbers.
    classifier = SVC(C=10.0, gamma=cast(Any, 0.03))
    fitted_classifier = classifier.fit(np.concatenate([data.validation, data.test]), np.concatenate(data.labels[1:]))
    accuracy = float((fitted_classifier.predict(data.train) == data.labels[0]).mean())
    each = 12
    measured, spreads, panels = [], [], []
    for guidance in context.track(GUIDANCES, "guidance"):
        drawn = {
            seed: context.arm(
                f"digits, guidance {guidance:g}", seed, lambda s=seed, w=guidance: {"tokens": drawn_digits(s, w, each)}
            )["tokens"]
            for seed in context.seeds
        }
        measured.append(
            over_seeds(
                context,
                f"right class, w={guidance:g}",
                lambda s, d=drawn: float(
                    np.mean(fitted_classifier.predict(d[s].reshape(-1, 64)) == np.repeat(np.arange(10), each))
                ),
            )
        )
        spreads.append(
            over_seeds(
                context,
                f"pixels that differ within a class, w={guidance:g}",
                lambda s, d=drawn: float((d[s][:, :, None] != d[s][:, None]).mean() * each / (each - 1)),
            )
        )
        panels.append(digits_panel(f"Guidance w={guidance:g}, a column for each class", drawn[context.seeds[0]][:, :4]))
    return Evidence(
        "a classifier of real digits predicts the requested class for "
        f"{', '.join(f'{m.mean:.1%} (w={w:g})' for w, m in zip(GUIDANCES, measured, strict=True))}; it is right on "
        f"{accuracy:.1%} of real ones",
        [*measured, *spreads],
        [panels[0], panels[-1]],
    )


def temperature_of_text(context: ClaimContext) -> Evidence:
    """X13: fraction of drawn words that occur in the book, against temperature."""
    words = set(book().split())

    def known(seed: int, temperature: float) -> float:
        # The first and the last word of a window may be incomplete.
        inner = [word for text in texts(seed, temperature) for word in text.split(" ")[1:-1] if word]
        return float(np.mean([word in words for word in inner]))

    def arm(seed: int, temperature: float) -> float:
        return context.arm(f"words at temperature {temperature:g}", seed, lambda: {"known": known(seed, temperature)})[
            "known"
        ]

    measured = [
        over_seeds(context, f"words of the book, T={t:g}", lambda s, t=t: arm(s, t))
        for t in context.track(TEMPERATURES, "temperatures")
    ]
    samples = {t: texts(context.seeds[0], t)[:8] for t in TEMPERATURES}
    return Evidence(
        "words that the book has: "
        + ", ".join(f"{m.mean:.0%} (T={t:g})" for t, m in zip(TEMPERATURES, measured, strict=True)),
        measured,
        [
            Table(
                "Drawn", [f"T={t:g}" for t in TEMPERATURES], [list(row) for row in zip(*samples.values(), strict=True)]
            )
        ],
    )


def comparison_configs() -> Mapping[str, LearnedConfig]:
    """Trainings that differ in one setting each, of `COMPARISON_STEPS` steps; "masked diffusion" is
    `train_masked`'s."""
    config = preset("splice")
    shipped_config = replace(config, loop=replace(config.loop, steps=COMPARISON_STEPS, evaluate_every=0))
    unmasked = replace(shipped_config, mask_prob=0.0)
    return {
        "as shipped": shipped_config,
        "masked diffusion": shipped_config,
        "nothing hidden": unmasked,
        "nothing hidden, bound as loss": replace(unmasked, loss="bound"),
        "nothing hidden, no evidence": replace(unmasked, model=replace(unmasked.model, evidence=False)),
    }


def trained_bound(context: ClaimContext, arm: str, seed: int) -> float:
    """The bound on test splice sites of a network trained for comparison; nats a sequence."""

    def compute() -> Mapping[str, float]:
        config = comparison_configs()[arm]
        data = load(config.data)
        tokens = data.test[np.random.default_rng(seed).permutation(len(data.test))[:NUM_COMPARED]]
        if arm != "masked diffusion":
            return {"bound": float(measure_bound(train(config, seed=seed), data, tokens, 32, seed).mean())}
        model = train_masked(config, seed=seed)
        run = jax.jit(lambda model, tokens: masked_bound(jax.random.key(seed), model, tokens, repeats=4))
        return {"bound": float(run(model, jnp.asarray(tokens)).mean())}

    return context.arm(f"splice sites afresh, {arm}", seed, compute)["bound"]


def compare_trainings(context: ClaimContext, names: Sequence[str]) -> Evidence:
    """Bounds of the trainings that a claim compares."""
    measured = [
        over_seeds(context, name, lambda s, name=name: trained_bound(context, name, s), "nats") for name in names
    ]
    heights = {f"seed {seed}": [m.values[index] for m in measured] for index, seed in enumerate(context.seeds)}
    return Evidence(
        "bound on test sequences: " + ", ".join(f"{m.mean:.3f} nats ({m.name})" for m in measured),
        measured,
        [
            Plot(
                f"Trainings of {COMPARISON_STEPS:,} steps each",
                repetitions(
                    {
                        m.name: ([of_seed[index] for of_seed in heights.values()], (m.mean, m.low, m.high))
                        for index, m in enumerate(measured)
                    },
                    "bound on test sequences, nats a sequence",
                ),
            )
        ],
    )


def losses_compared(context: ClaimContext) -> Evidence:
    """X14: trained on the bound itself, and on the cross-entropy at even log SNRs."""
    return compare_trainings(context, ("nothing hidden, bound as loss", "nothing hidden"))


def evidence_compared(context: ClaimContext) -> Evidence:
    """X15: with the exact evidence in the network, and without."""
    return compare_trainings(context, ("nothing hidden", "nothing hidden, no evidence"))


def hiding_compared(context: ClaimContext) -> Evidence:
    """X16: with and without masking a part of the positions in training."""
    return compare_trainings(context, ("as shipped", "nothing hidden"))


def masked_compared(context: ClaimContext) -> Evidence:
    """X17: simplex diffusion against masked discrete diffusion with the same transformer."""
    return compare_trainings(context, ("as shipped", "masked diffusion"))
