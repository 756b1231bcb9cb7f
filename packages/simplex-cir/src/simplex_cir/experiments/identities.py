"""Measurements of claims beyond the paper: identities that make the method exact, and errors of inexact schemes."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import lines, lines_with_intervals
from scipy import optimize, special, stats

from simplex_cir.config import SAMPLERS
from simplex_cir.diffusion.posterior import scaled_score
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior
from simplex_cir.diffusion.rank_law import RankLaw
from simplex_cir.experiments.theory import (
    ORACLES,
    PRIORS,
    SKEWED,
    draw_tokens,
    p_value,
    p_value_headline,
    sampling_floor,
    total_variation,
)
from simplex_cir.process.bridge import bridge_sample
from simplex_cir.process.cir import CIR, transition_log_prob
from simplex_cir.process.wright_fisher import jacobi_density

CHAIN = MarkovPrior(SKEWED, 0.8 * np.eye(4) + 0.2 * SKEWED)
STEPS = (1, 2, 4, 8, 16, 32)


def score_of_the_marginal(context: ClaimContext) -> Evidence:
    """X2: the scaled score from token probabilities against automatic differentiation of the exact log density."""
    measured, rows = [], []
    cases: dict[str, tuple[Any, tuple[int, ...]]] = {
        name: (lambda a, prior=prior: IndependentPrior(prior, a), (20, len(prior))) for name, prior in PRIORS.items()
    }
    cases["chain of 6"] = (lambda a: MarkovPrior(CHAIN.initial, CHAIN.transition, a), (20, 6, 4))
    for name, (make, shape) in context.track(list(cases.items()), "priors"):
        worst = 0.0
        for a, snr in itertools.product((0.3, 1.0, 2.5), (0.01, 1.0, 10.0, 50.0)):
            v = np.random.default_rng(0).gamma(a + snr / 2, size=shape)
            with jax.enable_x64(True):
                error = _score_error(make(a), jnp.asarray(v), jnp.asarray(snr), a)
            worst = max(worst, float(error))
        measured.append(Measurement.exact(f"{name}, largest error", worst))
        rows.append([name, worst])
    return Evidence(
        "scaled score and automatic differentiation differ by at most "
        f"{max(m.mean for m in measured):.1e}, relative to the larger of the score and 1",
        measured,
        [Table("Largest error over shapes 0.3, 1, 2.5 and SNRs 0.01 to 50", ["prior", "error"], rows)],
    )


def _score_error(oracle: Any, v: jax.Array, snr: jax.Array, a: float) -> jax.Array:
    def log_marginal(v: jax.Array) -> jax.Array:
        return oracle.log_likelihood_ratio(v, snr).sum() + ((a - 1) * jnp.log(v) - v).sum()

    expected = v * jax.grad(log_marginal)(v)
    got = scaled_score(jnp.exp(oracle(v, snr)), v, snr, a)
    return (jnp.abs(got - expected) / jnp.maximum(jnp.abs(expected), 1)).max()


SETTINGS = (
    ("canonical", CIR(a=1.5, b=1.0), 1.0),
    ("ten times as fast", CIR(a=1.5, b=10.0, sigma=20.0**0.5), 1.0),
    ("mass 30", CIR(a=1.5, b=1.0), 30.0),
    ("volatility 0.2", CIR(a=0.03, b=1.0, sigma=0.2), 0.02),
)


def one_signal_to_noise_ratio(context: ClaimContext) -> Evidence:
    """X3: processes of different speed, mass and volatility at times of equal SNR, in the coordinate v."""
    measured, count = [], 100_000
    for index, (name, process, start) in enumerate(context.track(SETTINGS, "settings")):
        for m in (0.1, 3.0, 40.0):
            key = jax.random.fold_in(jax.random.key(context.seeds[0]), 100 * index + int(10 * m))
            mass = start / process.scale
            time = float(np.log1p(mass / m)) / process.b
            with jax.enable_x64(True):
                y = np.asarray(process.transition_sample(key, start, time, shape=(count,)))
            v = y / process.scale * (1 + m / mass)
            distribution = stats.ncx2(2 * process.shape, 2 * m, scale=0.5)
            measured.append(p_value(f"{name}, m={m:g}", stats.kstest(v, distribution.cdf).pvalue))
    return Evidence(
        f"{len(SETTINGS)} processes, each at its own time: one distribution of v at equal SNR; "
        f"{p_value_headline(measured, count)}",
        measured,
    )


# Name, shape, start, end, time before and time after.
BRIDGES = (
    ("a=1.3", 1.3, 1.2, 2.0, 0.4, 0.5),
    ("a=0.4", 0.4, 0.5, 0.3, 0.2, 1.0),
    ("from 0", 1.0, 0.0, 1.5, 0.7, 0.3),
    ("a=6", 6.0, 9.0, 3.0, 1.0, 0.1),
)


def bridges_are_conditioned_paths(context: ClaimContext) -> Evidence:
    """X4: bridge draws against forward draws by NumPy, accepted with the density of reaching the end."""
    measured, count = [], 40_000
    for index, (name, a, start, end, before, after) in enumerate(context.track(BRIDGES, "bridges")):
        generator = np.random.default_rng(context.seeds[0] + index)
        lost, left = -np.expm1(-before), -np.expm1(-after)

        def reaching(u: np.ndarray, left: float = left, after: float = after, a: float = a, end: float = end):
            return stats.ncx2.pdf(end, 2 * a, 2 * np.maximum(u, 1e-12) * np.exp(-after) / left, scale=left / 2)

        highest = 1.01 * reaching(np.linspace(0, 60, 20_000)).max()
        kept = np.empty(0)
        while len(kept) < count:
            u = lost / 2 * generator.noncentral_chisquare(2 * a, 2 * start * np.exp(-before) / lost, 400_000)
            kept = np.concatenate([kept, u[generator.random(len(u)) * highest < reaching(u)]])
        key = jax.random.fold_in(jax.random.key(context.seeds[0]), index)
        with jax.enable_x64(True):
            drawn = np.asarray(bridge_sample(key, start, end, a, before, after, shape=(count,)))
        test: Any = stats.ks_2samp(drawn, kept[:count])
        measured.append(p_value(name, test.pvalue))
    return Evidence(p_value_headline(measured, count), measured)


RANKS_AT_ONCE = 250
RANKS = tuple(itertools.product((27, 1000, 32_000), (0.5, 1.0, 3.0)))


def rank_distribution_in_closed_form(context: ClaimContext) -> Evidence:
    """X5: ranks counted among all n coordinates against the one-dimensional formula; the SNR at which the rank is near
    1."""
    measured, slopes, curves = [], [], {}
    for n, a in context.track(RANKS, "laws"):
        generator = np.random.default_rng(context.seeds[0] + n)
        snr = float(np.log(n))
        ranks = np.concatenate([_counted_ranks(generator, n, a, snr) for _ in range(8)])
        measured.append(p_value(f"n={n}, a={a:g}", _rank_test(ranks, RankLaw(n, snr, a))))
    sizes = np.geomspace(100, 1e6, 9).round().astype(int)
    for a in (0.5, 1.0, 3.0):
        snrs = [_settling_snr(int(n), a) for n in sizes]
        slope = float(np.polyfit(np.log(sizes), snrs, 1)[0])
        slopes.append(Measurement.exact(f"a={a:g}, SNR over log n", slope))
        curves[f"a = {a:g}"] = (sizes * 1.0, snrs)
    curves["2 log n"] = (sizes * 1.0, 2 * np.log(sizes))
    figure = lines(
        curves, "categories n", "SNR at which the mean rank is 1.5", log_x=True, ordered=True, dashed=["2 log n"]
    )
    return Evidence(
        f"{p_value_headline(measured, 8 * RANKS_AT_ONCE)}; the SNR at which the mean rank is 1.5 grows as "
        + ", ".join(f"{m.mean:.2f} log n ({m.name.split(',')[0]})" for m in slopes),
        [*measured, *slopes],
        [Plot("The range of useful SNRs is proportional to log n", figure)],
    )


def _settling_snr(n: int, a: float) -> float:
    """The SNR at which the mean rank is 1.5."""
    root: Any = optimize.brentq(lambda m: np.log(RankLaw(n, m, a).mean() - 1) - np.log(0.5), 1, 100)
    return float(root)


def _counted_ranks(generator: np.random.Generator, n: int, a: float, snr: float) -> np.ndarray:
    """Ranks by drawing every coordinate."""
    own = generator.gamma(a + generator.poisson(snr, RANKS_AT_ONCE))
    others = generator.standard_gamma(a, size=(RANKS_AT_ONCE, n - 1), dtype=np.float32)
    return 1 + (others > own[:, None]).sum(axis=1)


def _rank_test(ranks: np.ndarray, distribution: RankLaw) -> float:
    """p-value of the likelihood ratio test in cells of at least 20 expected ranks."""
    edges = sorted({distribution.quantile(p) for p in np.linspace(0.1, 0.98, 12)})
    edges = [edge for edge in edges if (1 - distribution.cdf(edge)) * len(ranks) >= 20]
    bounds = np.concatenate([[0.0], [float(distribution.cdf(edge)) for edge in edges], [1.0]])
    counts = np.bincount(np.searchsorted(edges, ranks), minlength=len(edges) + 1)
    return float(stats.power_divergence(counts, np.diff(bounds) * len(ranks), lambda_="log-likelihood").pvalue)


PAIR = (1.5, 2.0)
CLOCK, STEP, LAST = 0.15, 0.0025, 4.0


def wright_fisher_on_a_random_clock(context: ClaimContext) -> Evidence:
    r"""X6: X at the time when $\int dt / S$ reaches a value, against the spectral density of the Jacobi diffusion.

    For comparison X at the fixed time at which the integral has that value if S equals its mean.
    """
    start, count = 0.9, 10_000
    clock, fixed = {}, {}
    nodes = np.linspace(0, 1, 2001)[1:-1]
    with jax.enable_x64(True):
        density = np.asarray(jacobi_density(jnp.asarray(nodes), start, PAIR, CLOCK))
    cdf = np.concatenate([[0.0], np.cumsum(density) / density.sum(), [1.0]])
    points = np.concatenate([[0.0], nodes + nodes[0] / 2, [1.0]])

    def distribution(x: np.ndarray) -> np.ndarray:
        return np.interp(x, points, cdf)

    for seed in context.track(context.seeds, "seeds"):
        at_clock, at_time, unfinished = _stop_at_clock(seed, start, count)
        if unfinished:
            raise ValueError(f"{unfinished} integrals of 1 / S are below {CLOCK} at time {LAST}")
        clock[seed] = float(stats.kstest(at_clock, distribution).statistic)
        fixed[seed] = float(stats.kstest(at_time, distribution).statistic)
    measured = [
        Measurement.over_seeds("distance at the random clock", clock),
        Measurement.over_seeds("distance at a fixed time", fixed),
    ]
    return Evidence(
        f"Kolmogorov-Smirnov distance from the Wright-Fisher diffusion: {measured[0].mean:.4f} with the time change, "
        f"{measured[1].mean:.4f} at a fixed time; {count:,} exact draws would have about 0.0087",
        measured,
    )


def _stop_at_clock(seed: int, start: float, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """X at the random time, X at the fixed time, and the number of paths that do not reach it; exact transitions."""
    generator = np.random.default_rng(seed)
    kappa, lost = np.exp(-STEP), -np.expm1(-STEP)
    total = sum(PAIR)
    y = np.tile([start * total, (1 - start) * total], (count, 1))
    clock, at_clock, at_time = np.zeros(count), np.full(count, np.nan), np.empty(0)
    for step in range(1, round(LAST / STEP) + 1):
        before, rate_before = y[:, 0] / y.sum(axis=1), 1 / y.sum(axis=1)
        y = lost / 2 * generator.noncentral_chisquare(2 * np.array(PAIR), 2 * kappa / lost * y)
        after, rate = y[:, 0] / y.sum(axis=1), 1 / y.sum(axis=1)
        advanced = STEP * (rate_before + rate) / 2
        reached = np.isnan(at_clock) & (clock + advanced >= CLOCK)
        rounds_up = clock + advanced / 2 >= CLOCK
        at_clock = np.where(reached, np.where(rounds_up, before, after), at_clock)
        clock = clock + advanced
        if step == round(CLOCK * total / STEP):
            at_time = after
        if not np.isnan(at_clock).any() and len(at_time):
            break
    return at_clock, at_time, int(np.isnan(at_clock).sum())


def spectral_form_of_the_density(context: ClaimContext) -> Evidence:
    """X7: eigenfunctions of the generator, Laguerre polynomials, against the Bessel form of the density."""
    worst, curves = 0.0, {}
    order = np.arange(160)
    y = np.linspace(0.05, 8, 40)
    for a, x in context.track(list(itertools.product((0.5, 1.0, 2.5), (0.2, 1.0, 4.0))), "laws"):
        norm = np.exp(special.gammaln(order + 1) + special.gammaln(a) - special.gammaln(a + order))
        modes = norm[:, None] * special.eval_genlaguerre(order[:, None], a - 1, x)
        modes = modes * special.eval_genlaguerre(order[:, None], a - 1, y) * stats.gamma.pdf(y, a)
        for kappa in (0.05, 0.3, 0.6, 0.7):
            with jax.enable_x64(True):
                expected = np.exp(np.asarray(transition_log_prob(jnp.asarray(y), x, a, -np.log(kappa))))
            partial_sums = np.cumsum(kappa ** order[:, None] * modes, axis=0)
            worst = max(worst, float(np.abs(partial_sums[-1] - expected).max()))
            if (a, x) == (1.0, 1.0):
                errors = np.abs(partial_sums - expected).max(axis=1)
                curves[f"kappa = {kappa:g}"] = (order[:80] + 1.0, np.maximum(errors[:80], 1e-17))
    figure = lines(
        curves, "number of modes", "largest error of the density", log_y=True, ordered=True,
        legend_title="kappa = exp(-b t)",
    )  # fmt: skip
    return Evidence(
        f"{len(order)} modes and the Bessel form differ by at most {worst:.1e}",
        [Measurement.exact("largest difference of densities", worst)],
        [Plot("Mode j decays as exp(-j b t): a = x = 1", figure)],
    )


def factorised_steps_on_a_chain(context: ClaimContext) -> Evidence:
    """X8: the error of drawing positions independently at each ancestral step, on a Markov chain."""
    count, positions, steps = 3_000, 8, (1, 4, 16, 64)
    pairs = (CHAIN.initial[:, None] * CHAIN.transition).ravel()
    floor = sampling_floor(pairs, count * (positions - 1))
    errors: dict[int, dict[int, float]] = {number: {} for number in steps}
    for number in steps:
        for seed in context.track(context.seeds, f"{number} steps"):
            tokens = draw_tokens(CHAIN, (count, positions, 4), seed, number)
            errors[number][seed] = total_variation(4 * tokens[:, :-1] + tokens[:, 1:], pairs) - floor
    measured = [
        Measurement.over_seeds(f"{number} step{'s' if number > 1 else ''}", values) for number, values in errors.items()
    ]
    figure = lines_with_intervals(
        steps,
        {"pairs of neighbours, mean of the seeds": [(m.mean, max(m.low, m.mean / 10), m.high) for m in measured]},
        "number of steps",
        "total variation above the floor",
        log_y=True,
    )
    return Evidence(
        "total variation of neighbouring pairs above that of exact sequences: "
        + ", ".join(f"{m.mean:.4f} ({m.name})" for m in measured),
        measured,
        [Plot("Error of factorised steps on a Markov chain with the exact posterior", figure)],
    )


# Log-Euler is stiff at a = 1 (see `diffusion.reverse.SCHEMES`), and the adaptive flow has no number of steps.
COMPARED = tuple(name for name in SAMPLERS if name not in ("log-euler", "flow-adaptive"))
COUNTS = {"n=4": 20_000, "n=27": 6_000}


def error_against_steps(context: ClaimContext) -> Evidence:
    """X9: total variation to the prior of every scheme over the number of steps, with the exact posterior."""
    measured, rows, outputs = [], [], []
    for name, count in COUNTS.items():
        prior, shape = PRIORS[name], (count, len(PRIORS[name]))
        floor = sampling_floor(prior, count)
        curves = {}
        for sampler in context.track(COMPARED, name):
            means = []
            for number in STEPS:
                errors = {
                    seed: total_variation(draw_tokens(ORACLES[name], shape, seed, number, sampler), prior) - floor
                    for seed in context.seeds
                }
                measured.append(Measurement.over_seeds(f"{name}, {sampler}, {number} steps", errors))
                means.append(measured[-1].mean)
            rows.append([name, sampler, *means])
            curves[sampler] = (STEPS, np.maximum(np.array(means) + floor, floor / 2))
        curves["exact samples"] = (STEPS, np.full(len(STEPS), floor))
        figure = lines(
            {each: curve for each, curve in curves.items() if each != "exact samples"},
            "number of steps",
            "total variation",
            log_x=True,
            log_y=True,
            bands={
                sampler: tuple(
                    [
                        max(getattr(m, end) + floor, floor / 2)
                        for number in STEPS
                        for m in measured
                        if m.name == f"{name}, {sampler}, {number} steps"
                    ]
                    for end in ("low", "high")
                )
                for sampler in COMPARED
            },
            reference=("exact samples", floor),
        )
        outputs.append(Plot(f"Error against steps, {name}", figure))
    summary = {m.name: m.mean for m in measured}
    return Evidence(
        "total variation above that of exact samples, n=4, 2, 8 and 32 steps: "
        + ", ".join(
            "/".join(f"{summary[f'n=4, {sampler}, {number} steps']:.4f}" for number in (2, 8, 32)) + f" ({sampler})"
            for sampler in ("ancestral", "euler-reflected", "implicit-root", "flow-heun")
        ),
        measured,
        [*outputs, Table("Excess", ["prior", "sampler", *(f"{number} steps" for number in STEPS)], rows)],
    )
