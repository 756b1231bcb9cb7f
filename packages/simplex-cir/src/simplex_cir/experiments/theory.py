"""Measurements of the claims on exact models: each function takes a `ClaimContext` and returns `Evidence`."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from onepaper.claims import ClaimContext, Evidence, Measurement, Plot, Table
from onepaper.display.plots import lines
from scipy import special, stats

from simplex_cir.diffusion.likelihood import bound
from simplex_cir.diffusion.posterior import INVALID_TOKEN, Denoiser, log_posterior, scaled_score
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior
from simplex_cir.diffusion.probability_flow import probability_flow
from simplex_cir.diffusion.rank_law import RankLaw
from simplex_cir.diffusion.snr import elapsed_from_snr, scale_from_snr, snr_from_elapsed
from simplex_cir.experiments.figures import ternary
from simplex_cir.process.cir import CIR, transition_log_prob, transition_mean, transition_sample, transition_variance
from simplex_cir.process.squared_ou import squared_ou_sample
from simplex_cir.process.trajectories import trajectories
from simplex_cir.random.variates import log_gamma_sample
from simplex_cir.sampling import draw_by_steps

ALPHAS = {"sparse": (0.05, 0.3, 2.0), "even": (1.0, 1.0, 1.0), "large": (50.0, 7.0, 1.0)}
PRIORS: Mapping[str, np.ndarray] = {
    "n=2": np.array([0.8, 0.2]),
    "n=4": np.array([0.6, 0.25, 0.1, 0.05]),
    "n=27": np.arange(27, 0, -1) / np.arange(27, 0, -1).sum(),
}
ORACLES = {name: IndependentPrior(prior) for name, prior in PRIORS.items()}
SKEWED = PRIORS["n=4"]
# SNRs at which tokens are unknown, and known almost surely, for up to 27 categories.
LOWEST, HIGHEST = 1e-3, 80.0
COUNT = 50_000
# Draws per seed of the reverse SDE, which needs many steps where the ancestral sampler needs one.
REVERSE_COUNT = 20_000


def p_value(name: str, value: float) -> Measurement:
    """A p-value as an exact measurement, as `HolmNotRejected` expects it."""
    return Measurement.exact(name, float(value))


def p_value_headline(measured: Sequence[Measurement], count: int) -> str:
    """Headline of a family of tests."""
    return f"{len(measured)} tests of {count:,} draws each, smallest p-value {min(m.mean for m in measured):.2g}"


def dirichlet_from_gammas(context: ClaimContext) -> Evidence:
    """C1: normalised independent Gamma variables against their Beta marginals, and against their own sum."""
    measured, rows = [], []
    draws = 100_000
    for index, (name, alpha) in enumerate(context.track(list(ALPHAS.items()), "alphas")):
        for rate in (0.1, 1.0, 10.0):
            key = jax.random.fold_in(jax.random.key(context.seeds[0]), 10 * index + int(10 * rate))
            with jax.enable_x64(True):  # in single precision a coordinate near 1 rounds to 1, which the test rejects
                log_y = np.asarray(log_gamma_sample(key, jnp.broadcast_to(jnp.asarray(alpha), (draws, 3)))) - np.log(
                    rate
                )
            log_sum = np.asarray(special.logsumexp(log_y, axis=1))
            x = np.exp(log_y - log_sum[:, None])
            for i, value in enumerate(alpha):
                test = stats.kstest(x[:, i], stats.beta(value, sum(alpha) - value).cdf)
                measured.append(p_value(f"{name} alpha, rate {rate:g}, coordinate {i}", test.pvalue))
            rho, dependence = map(float, stats.spearmanr(x[:, -1], log_sum))
            measured.append(p_value(f"{name} alpha, rate {rate:g}, independence of the sum", dependence))
            rows.append([name, rate, rho])
    return Evidence(
        p_value_headline(measured, draws),
        measured,
        [Table("Rank correlation with the sum", ["alpha", "rate", "rho"], rows)],
    )


# Level, speed and volatility of processes with 2ab / sigma^2 = 0.25, 1 and 2, none of them canonical.
PROCESSES = {
    shape: CIR(a, b, (2 * a * b / shape) ** 0.5) for shape, a, b in ((0.25, 0.1, 3.0), (1.0, 2.0, 0.5), (2.0, 0.7, 1.0))
}


def general_process(context: ClaimContext) -> Evidence:
    """C2: exact draws of processes (a, b, sigma) at early and late times: sign, late distribution, mass near 0."""
    measured, shares, negative, total = [], [], 0, 0
    for index, (shape, process) in enumerate(context.track(list(PROCESSES.items()), "processes")):
        key = jax.random.fold_in(jax.random.key(context.seeds[0]), index)
        distribution: Any = stats.gamma(
            2 * process.a * process.b / process.sigma**2, scale=process.sigma**2 / (2 * process.b)
        )
        starts, times = np.array([[[0.01]], [[3.0]]]) * process.a, np.array([[0.05], [0.5], [40.0]]) / process.b
        with jax.enable_x64(True):
            drawn = np.asarray(process.transition_sample(key, starts, times, shape=(2, 3, 100_000)))
        negative, total = negative + int((drawn < 0).sum()), total + drawn.size
        late = drawn[1, 2]
        name = f"2ab/sigma^2={shape:g}"
        measured.append(p_value(f"{name}, law", stats.kstest(late, distribution.cdf).pvalue))
        small = 1e-6 * process.sigma**2 / (2 * process.b)
        shares.append(Measurement.exact(f"{name}, share next to 0", float(np.mean(late < small))))
    below = Measurement.exact("share of negative values", negative / total)
    summary = ", ".join(f"{share.mean:.3g} ({share.name.split(',')[0]})" for share in shares)
    return Evidence(
        f"{negative} of {total:,} draws are negative; {p_value_headline(measured, 100_000)}; share below 1e-6 scales: "
        f"{summary}",
        [below, *measured, *shares],
    )


def stationary_distribution(context: ClaimContext) -> Evidence:
    """C3: exact draws of the canonical process at a late time against Gamma(a, 1)."""
    measured = []
    for index, a in enumerate(context.track([0.25, 1.0, 2.0], "shapes")):
        key = jax.random.fold_in(jax.random.key(context.seeds[0]), index)
        with jax.enable_x64(True):
            y = np.asarray(transition_sample(key, jnp.full(100_000, 3.0), a, 40.0))
        measured.append(p_value(f"a={a:g}, law", stats.kstest(y, stats.gamma(a).cdf).pvalue))
    return Evidence(p_value_headline(measured, 100_000), measured)


def moments(context: ClaimContext) -> Evidence:
    """C4: mean and variance of exact draws against the paper's eqs. 5 and 6, as corrected, in standard errors, and as
    printed."""
    measured, rows = [], []
    work = [(start, a, elapsed) for start in (0.0, 0.5, 4.0) for a in (0.5, 1.0, 3.0) for elapsed in (0.05, 1.0)]
    worst = {}
    for seed in context.track(context.seeds, "seeds"):
        errors = []
        for index, (start, a, elapsed) in enumerate(work):
            key = jax.random.fold_in(jax.random.key(seed), index)
            with jax.enable_x64(True):
                y = np.asarray(transition_sample(key, jnp.full(200_000, start), a, elapsed))
                mean = float(transition_mean(start, a, elapsed))
                variance = float(transition_variance(start, a, elapsed))
            fourth = ((y - y.mean()) ** 4).mean()
            errors.append(abs(y.mean() - mean) / np.sqrt(variance / len(y)))
            errors.append(abs(y.var() - variance) / np.sqrt((fourth - y.var() ** 2) / len(y)))
            if seed == context.seeds[0]:
                printed = a + np.exp(-elapsed) * (start - 1)
                rows.append([start, a, elapsed, y.mean(), mean, printed])
        worst[seed] = float(np.sqrt(np.mean(np.square(errors))))
    measured.append(Measurement.over_seeds("root mean square error, standard errors", worst))
    return Evidence(
        f"mean and variance of 200,000 draws lie {measured[0].mean:.2f} standard errors from the corrected formulas",
        measured,
        [Table("Means", ["start", "a", "b t", "of draws", "eq. 5 corrected", "eq. 5 as printed"], rows)],
    )


def transition_distribution(context: ClaimContext) -> Evidence:
    """C5: log density against scipy's noncentral chi-squared, and draws against its distribution."""
    measured, largest, compared = [], 0.0, 0
    grid = itertools.product((1e-6, 0.3, 5.0, 100.0), (0.05, 0.5, 1.0, 1.5, 10.0, 300.0), (0.01, 1.0, 5.0))
    with jax.enable_x64(True):
        for x, a, elapsed in grid:
            kappa, lost = np.exp(-elapsed), -np.expm1(-elapsed)
            distribution: Any = stats.ncx2(2 * a, 2 * x * kappa / lost, scale=lost / 2)
            y = distribution.ppf(np.array([0.001, 0.1, 0.5, 0.9, 0.999]))
            y = y[(y > 0) & np.isfinite(y)]
            expected = distribution.logpdf(y)
            got = np.asarray(transition_log_prob(jnp.asarray(y), x, a, elapsed))
            usable = np.isfinite(expected)  # scipy's series underflows for some arguments
            error = np.abs(got - expected)[usable] / np.maximum(np.abs(expected[usable]), 1)
            largest, compared = np.maximum(largest, error.max(initial=0)), compared + error.size
        for index, (x, a, elapsed) in enumerate(
            context.track([(0.0, 0.4, 0.5), (1.0, 1.0, 0.3), (3.0, 2.5, 1.0)], "laws")
        ):
            key = jax.random.fold_in(jax.random.key(context.seeds[0]), index)
            y = np.asarray(transition_sample(key, jnp.full(100_000, x), a, elapsed))
            kappa, lost = np.exp(-elapsed), -np.expm1(-elapsed)
            distribution = stats.ncx2(2 * a, 2 * x * kappa / lost, scale=lost / 2) if x else stats.gamma(a, scale=lost)
            measured.append(p_value(f"draws from {x:g}, a={a:g}", stats.kstest(y, distribution.cdf).pvalue))
    return Evidence(
        f"log density equal to scipy's within {largest:.1e} relative, {compared} points; "
        f"{p_value_headline(measured, 100_000)}",
        [Measurement.exact("largest relative error of the log density", float(largest)), *measured],
    )


def convergence_to_dirichlet(context: ClaimContext) -> Evidence:
    """C6: from a vertex, the Wasserstein distance of the coordinate of the token to its Beta distribution, against
    time."""
    alpha = np.array([1.0, 0.5, 2.0])
    count, times = 1_000_000, (2.5, 3.0, 3.5, 4.0, 4.5)
    target = stats.beta(alpha[0], alpha[1:].sum()).ppf((np.arange(count) + 0.5) / count)
    rates, distances = {}, {}
    for seed in context.track(context.seeds, "seeds"):
        row = []
        for index, elapsed in enumerate(times):
            key = jax.random.fold_in(jax.random.key(seed), index)
            with jax.enable_x64(True):
                start = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (count, 3))
                y = transition_sample(key, start, jnp.asarray(alpha), elapsed)
                x = np.asarray(y[:, 0] / y.sum(axis=1))
            row.append(float(stats.wasserstein_distance(x, target)))
        rates[seed] = float(-np.polyfit(times, np.log(row), 1)[0])
        distances[seed] = row
    rate = Measurement.over_seeds("rate of decay", rates, "b")
    mean = np.mean(list(distances.values()), axis=0)
    figure = lines(
        {
            f"{count:,} exact paths": (times, mean),
            "exp(-b t), from the first time": (times, mean[0] * np.exp(times[0] - np.array(times))),
        },
        "time b t",
        "Wasserstein distance to the Dirichlet",
        log_y=True,
        bands={f"{count:,} exact paths": (np.min(list(distances.values()), 0), np.max(list(distances.values()), 0))},
        band_label="range of the seeds",
        dashed=["exp(-b t), from the first time"],
    )
    start = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (5, 3))
    _, paths = trajectories(jax.random.key(context.seeds[0]), start, jnp.asarray(alpha, jnp.float32), 2.0, 200)
    triangle = ternary(np.asarray(paths), title="alpha = 1, 0.5, 2")
    return Evidence(
        f"the distance falls as exp(-{rate.mean:.3f} b t)",
        [rate],
        [Plot("From a vertex to the Dirichlet distribution", figure), Plot("Five exact paths until b t = 2", triangle)],
    )


def total_variation(tokens: np.ndarray, prior: np.ndarray) -> float:
    """Half the sum of absolute differences between frequencies and probabilities; invalid tokens have probability 0."""
    counts = np.bincount(tokens[tokens != INVALID_TOKEN], minlength=len(prior))
    return float(0.5 * (np.abs(counts / tokens.size - prior).sum() + (tokens == INVALID_TOKEN).mean()))


def sampling_floor(prior: np.ndarray, count: int) -> float:
    """Mean total variation of that number of exact samples, by simulation."""
    counts = np.random.default_rng(0).multinomial(count, prior, size=400) / count
    return float(0.5 * np.abs(counts - prior).sum(axis=1).mean())


def g_test(tokens: np.ndarray, prior: np.ndarray) -> float:
    """p-value of the likelihood ratio test that tokens follow the prior."""
    counts = np.bincount(np.asarray(tokens).ravel(), minlength=len(prior))
    return float(stats.power_divergence(counts, prior * counts.sum(), lambda_="log-likelihood").pvalue)


def draw_tokens(
    denoiser: Denoiser, shape: tuple[int, ...], seed: int, steps: int, sampler: str = "ancestral"
) -> np.ndarray:
    """Tokens drawn in `steps` steps from `LOWEST` to `HIGHEST`."""
    key = jax.random.fold_in(jax.random.key(seed), steps)
    return np.asarray(
        draw_by_steps(key, denoiser, shape, sampler=sampler, steps=steps, lowest_snr=LOWEST, highest_snr=HIGHEST)
    )


def time_reversal(context: ClaimContext) -> Evidence:
    """C7: the reverse SDE with the exact marginal score returns the prior."""
    measured, rows = [], []
    steps = (16, 64, 256)
    for name, prior in PRIORS.items():
        by_steps: dict[int, dict[int, float]] = {number: {} for number in steps}
        floor = sampling_floor(prior, REVERSE_COUNT)
        for number in steps:
            for seed in context.track(context.seeds, f"{name}, {number} steps"):
                tokens = draw_tokens(ORACLES[name], (REVERSE_COUNT, len(prior)), seed, number, "implicit-root")
                by_steps[number][seed] = total_variation(tokens, prior) - floor
        for number in steps:
            measured.append(Measurement.over_seeds(f"{name}, {number} steps, excess total variation", by_steps[number]))
            rows.append([name, number, float(np.mean(list(by_steps[number].values()))), floor])
    last = [m for m in measured if f"{steps[-1]} steps" in m.name]
    return Evidence(
        f"total variation above that of exact samples, {steps[-1]} steps: "
        + ", ".join(f"{m.mean:.4f} ({m.name.split(',')[0]})" for m in last),
        measured,
        [Table("Total variation above the floor", ["prior", "steps", "excess", "floor"], rows)],
    )


def exact_for_any_number_of_steps(context: ClaimContext) -> Evidence:
    """X1: the ancestral sampler with the exact posterior against the prior, for few and many steps."""
    measured = []
    for name, prior in PRIORS.items():
        for steps in context.track([1, 2, 8, 32], name):
            tokens = draw_tokens(ORACLES[name], (COUNT, len(prior)), context.seeds[0], steps)
            measured.append(p_value(f"{name}, {steps} steps", g_test(tokens, prior)))
    return Evidence(p_value_headline(measured, COUNT), measured)


def bound_is_the_entropy(context: ClaimContext) -> Evidence:
    """C8: the bound with the exact posterior against the entropy of the prior."""
    cases = {"uniform, n=4": np.full(4, 0.25), "skewed, n=4": SKEWED, "n=27": PRIORS["n=27"]}
    measured = []
    for name, prior in cases.items():
        oracle = IndependentPrior(prior)
        estimate = _bounds(oracle)
        values = {}
        for seed in context.track(context.seeds, name):
            tokens = oracle.sample(jax.random.key(seed + 1000), (50_000 if name == "n=27" else 20_000, 1))
            cross = -np.log(prior)[np.asarray(tokens)[:, 0]].mean()
            values[seed] = float(estimate(jax.random.key(seed), tokens).mean()) - float(cross)
        measured.append(Measurement.over_seeds(f"{name}, bound less entropy", values, "nats"))
    chain = MarkovPrior(SKEWED, 0.6 * np.eye(4) + 0.4 * SKEWED)
    estimate = _bounds(chain)
    values = {}
    for seed in context.track(context.seeds, "chain"):
        tokens = chain.sample(jax.random.key(seed + 1000), 5_000, 8)
        values[seed] = float((estimate(jax.random.key(seed), tokens) + chain.log_prob(tokens)).mean()) / 8
    measured.append(Measurement.over_seeds("chain of 8, bound less entropy", values, "nats a position"))
    return Evidence(
        "bound less entropy: "
        + ", ".join(f"{m.mean:+.4f} ({m.name.removesuffix(', bound less entropy')})" for m in measured),
        measured,
    )


def _bounds(oracle: IndependentPrior | MarkovPrior) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The bound for each sequence, compiled once for all seeds."""

    def run(key: jax.Array, tokens: jax.Array) -> jax.Array:
        return bound(key, oracle, tokens, oracle.num_categories, points=64, highest_snr=HIGHEST).total

    return jax.jit(run)


def probability_flow_marginals(context: ClaimContext) -> Evidence:
    """C9, C9b: the flow maps marginals to marginals; vectors that Euler's method makes negative, in the plain and the
    log form."""
    oracle = IndependentPrior(SKEWED)
    count, low, high = 50_000, 0.05, 6.0
    measured = []

    def marginal(seed: int, snr: float) -> np.ndarray:
        generator = np.random.default_rng(seed)
        tokens = generator.choice(4, count, p=SKEWED)
        own = np.where(np.arange(4) == tokens[:, None], generator.poisson(snr, (count, 1)), 0)
        return generator.gamma(1.0 + own)

    seed = context.seeds[0]
    for name, source, target in (("up", low, high), ("down", high, low)):
        grid = np.geomspace(source, target, 65)
        flow = jax.jit(lambda v, grid=grid: probability_flow(oracle, v, grid, method="rk4")[1])
        after = np.asarray(flow(jnp.asarray(marginal(seed, source), jnp.float32)))
        expected = marginal(seed + 1, target)
        for i in range(4):
            test: Any = stats.ks_2samp(after[:, i], expected[:, i])
            measured.append(p_value(f"flow {name}, coordinate {i}", test.pvalue))
    failures: dict[tuple[str, str], dict[int, float]] = {}
    rows = []
    for seed in context.track(context.seeds, "Euler"):
        for way, source, target in (("to the tokens", 1e-2, 40.0), ("to noise", 40.0, 1e-2)):
            start = jnp.asarray(marginal(seed, source)) / float(scale_from_snr(source))
            for form in ("plain", "log form"):
                share = _euler_failures(oracle, start, form, source, target)
                failures.setdefault((way, form), {})[seed] = share
                rows.append([seed, form, way, share])
    shares = {
        key: Measurement.over_seeds(f"Euler failures {key[0]}, {key[1]}", values) for key, values in failures.items()
    }
    summary = "; ".join(
        f"{way} {shares[way, 'plain'].mean:.1%}, in the log form {shares[way, 'log form'].mean:.1%}"
        for way in ("to the tokens", "to noise")
    )
    return Evidence(
        f"{p_value_headline(measured, count)}; vectors that 40 steps of Euler's method make negative: {summary}",
        [*measured, *shares.values()],
        [Table("Share of vectors that Euler's method makes negative", ["seed", "form", "way", "share"], rows)],
    )


def _euler_failures(oracle: IndependentPrior, y: jax.Array, form: str, source: float, target: float) -> float:
    """Share of vectors that were ever negative or not finite, on an even grid of time between two SNRs."""
    times = np.linspace(float(elapsed_from_snr(source)), float(elapsed_from_snr(target)), 41)
    failed = np.zeros(len(y), bool)
    for before, after in itertools.pairwise(times):
        snr = float(snr_from_elapsed(before))
        v = float(scale_from_snr(snr)) * jnp.maximum(y, 1e-30)
        probabilities = jnp.exp(oracle(v, snr))
        slope = 1.0 - 1.0 - y - scaled_score(probabilities, v, snr)  # paper, eq. 15 with alpha = 1
        y = (
            y + (after - before) * slope
            if form == "plain"
            else y * jnp.exp((after - before) * slope / jnp.maximum(y, 1e-30))
        )
        failed |= np.asarray(~jnp.isfinite(y) | (y < 0)).any(axis=1)
    return float(failed.mean())


def floor_in_euler(context: ClaimContext) -> Evidence:
    """C10: forward Euler with and without a floor under its square root: fraction of paths that become NaN."""
    measured, rows = [], []
    for a in (0.5, 1.0, 2.0):
        for h in (1e-3, 1e-2, 1e-1):
            by_floor: dict[str, dict[int, float]] = {"bare": {}, "floored": {}}
            for seed in context.seeds:
                for name in by_floor:
                    lost = _lost(jax.random.key(seed), a, h, steps=round(2 / h), floored=name == "floored")
                    by_floor[name][seed] = float(lost)
            pair = [
                Measurement.over_seeds(f"a={a:g}, h={h:g}, lost paths, {name}", values)
                for name, values in by_floor.items()
            ]
            measured += pair
            rows.append([a, h, pair[0].mean, pair[1].mean])
    return Evidence(
        f"a=0.5, h=0.1: {rows[2][2]:.1%} of bare Euler's paths are lost, of floored ones {rows[2][3]:.1%}",
        measured,
        [Table("Share of paths that end as not-a-number by b t = 2", ["a", "h", "bare", "floored"], rows)],
    )


@partial(jax.jit, static_argnames=("steps", "floored"))
def _lost(key: jax.Array, a: jax.typing.ArrayLike, h: jax.typing.ArrayLike, *, steps: int, floored: bool) -> jax.Array:
    """Fraction of paths of Euler-Maruyama that are NaN after that many steps."""

    def step(carry: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
        key, y = carry
        key, noise_key = jax.random.split(key)
        under = jnp.maximum(y, 0) + 1e-3 if floored else y
        y = y + (a - y) * h + jnp.sqrt(2 * under * h) * jax.random.normal(noise_key, y.shape)
        return (key, y), None

    (_, y), _ = jax.lax.scan(step, (key, jnp.full(2000, a)), None, length=steps)
    return jnp.isnan(y).mean()


def squares_of_ornstein_uhlenbeck(context: ClaimContext) -> Evidence:
    """C11: sums of d squared Ornstein-Uhlenbeck processes against CIR with a = d / 2: distribution and computing
    time."""
    measured, times = [], []
    start = np.full(100_000, 1.5)
    for d in context.track([1, 2, 3, 8], "dimensions"):
        squares = jax.jit(lambda key, d=d: squared_ou_sample(key, start, d, 0.7))
        exact = jax.jit(lambda key, d=d: transition_sample(key, start, d / 2, 0.7))
        with jax.enable_x64(True):
            y = np.asarray(squares(jax.random.fold_in(jax.random.key(context.seeds[0]), d)))
            ratios = {seed: _time_ratio(squares, exact, seed) for seed in context.seeds}
        kappa, lost = np.exp(-0.7), -np.expm1(-0.7)
        distribution = stats.ncx2(d, 2 * 1.5 * kappa / lost, scale=lost / 2)
        measured.append(p_value(f"d={d}", stats.kstest(y, distribution.cdf).pvalue))
        times.append(Measurement.over_seeds(f"time over that of the exact draw, d={d}", ratios))
    summary = ", ".join(f"{m.mean:.2g} ({m.name.split(', ')[1]})" for m in times)
    return Evidence(
        f"{p_value_headline(measured, len(start))}; time over that of the exact draw: {summary}",
        [*measured, *times],
    )


def _time_ratio(first: Callable[..., jax.Array], second: Callable[..., jax.Array], seed: int) -> float:
    """Median seconds of the first over those of the second, called alternately after one warm-up call."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for key in jax.random.split(jax.random.key(seed), 50):
        for run, found in zip((first, second), seconds, strict=True):
            begun = time.perf_counter()
            jax.block_until_ready(run(key))
            found.append(time.perf_counter() - begun)
    return float(np.median(seconds[0][1:]) / np.median(seconds[1][1:]))


def heavy_tail_of_the_rank(context: ClaimContext) -> Evidence:
    """C12: quantiles of the true token's rank for large vocabularies, and the SNR at which the tail vanishes."""
    distribution = RankLaw(32_000, 20.0)
    measured = [
        Measurement.exact("mean rank", distribution.mean()),
        Measurement.exact("median rank", distribution.quantile(0.5)),
        Measurement.exact("99.9% quantile over mean", distribution.quantile(0.999) / distribution.mean()),
    ]
    errors = {}
    for seed in context.seeds:
        generator = np.random.default_rng(seed)
        own = generator.gamma(1.0 + generator.poisson(20.0, 2_000_000))
        ranks = 1 + generator.binomial(31_999, np.exp(-own))
        errors[seed] = float(ranks.mean())
    measured.append(Measurement.over_seeds("mean rank by simulation", errors))
    curves = {}
    for n in (27, 256, 1000, 32_000):
        snrs = np.geomspace(1, 60, 25)
        curves[f"n={n:,}"] = (snrs, [1 - RankLaw(n, float(snr)).first() for snr in snrs])
    figure = lines(
        curves, "SNR m", "probability that the token is not first", log_x=True, log_y=True, ordered=True,
        legend_title="vocabulary",
    )  # fmt: skip
    return Evidence(
        f"n=32,000 at m=20: median {measured[1].mean:.0f}, mean {measured[0].mean:.2f}, 99.9% quantile "
        f"{distribution.quantile(0.999)}",
        measured,
        [Plot("The token is found within a window of SNR that moves with log n", figure)],
    )


def vector_is_not_the_posterior(context: ClaimContext) -> Evidence:
    """C13: the posterior over tokens (paper, eq. 18) against the noisy vector taken as probabilities."""
    measured: list[Measurement] = []
    divergences: dict[int, float] = {}
    agreements: dict[int, float] = {}
    for seed in context.track(context.seeds, "seeds"):
        generator = np.random.default_rng(seed)
        tokens = generator.integers(0, 4, 50_000)
        own = np.where(np.arange(4) == tokens[:, None], generator.poisson(4.0, (50_000, 1)), 0)
        v = generator.gamma(1.0 + own)
        log_probabilities = np.asarray(log_posterior(jnp.zeros(4), jnp.asarray(v, jnp.float32), 4.0), np.float64)
        x = v / v.sum(axis=1, keepdims=True)
        divergences[seed] = float((np.exp(log_probabilities) * (log_probabilities - np.log(x))).sum(axis=1).mean())
        agreements[seed] = float((x.argmax(axis=1) == log_probabilities.argmax(axis=1)).mean())
    measured.append(Measurement.over_seeds("divergence of the vector from the posterior", divergences, "nats"))
    measured.append(Measurement.over_seeds("same most probable token", agreements))
    return Evidence(
        f"at m=4 and n=4 the vector is {measured[0].mean:.2f} nats from the posterior; both name the same token in "
        f"{measured[1].mean:.1%}",
        measured,
    )
