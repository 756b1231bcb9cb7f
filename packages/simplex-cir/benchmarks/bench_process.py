"""Speed of the process and its special functions beside NumPy, SciPy and plain JAX, on one core.

    OMP_NUM_THREADS=1 XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" \
        taskset -c 0 python benchmarks/bench_process.py

Contestants alternate, so that a machine that slows down slows both; the table has the median nanoseconds per element of
each and the median of the paired ratios. NumPy draws float64 with PCG64, JAX with threefry.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from simplex_cir.process import noise_tokens, transition_log_prob, transition_sample

Contest = tuple[str, Callable[[], object], Callable[[], object], int]


def draws(a: float, count: int, dtype: str) -> Contest:
    """Exact transitions from 3 after an elapsed time of 1/2 against NumPy's non-central chi-squared."""
    generator, start = np.random.default_rng(0), jnp.full(count, 3.0, dtype)
    noise = -np.expm1(-0.5)
    run = jax.jit(lambda key: transition_sample(key, start, a, 0.5))
    key = jax.random.key(0)
    return (
        f"transition_sample, a = {a}, {dtype} | numpy noncentral_chisquare",
        lambda: run(key),
        lambda: generator.noncentral_chisquare(2 * a, 6 * np.exp(-0.5) / noise, count) * (noise / 2),
        count,
    )


def noising(count: int, categories: int, dtype: str, rival: str) -> Contest:
    """One-hot forward noising at m = 5, a = 1, against NumPy's generic draws or the plain JAX way."""
    tokens, key = jnp.zeros(count // categories, int), jax.random.key(0)
    run = jax.jit(lambda key: noise_tokens(key, tokens, categories, 1.0, jnp.asarray(5.0, dtype)))
    generator = np.random.default_rng(0)
    noncentrality = np.zeros((count // categories, categories))
    noncentrality[:, 0] = 10.0

    @jax.jit
    def plain(key: jax.Array) -> jax.Array:
        count_key, gamma_key = jax.random.split(key)
        one_hot = tokens[:, None] == jnp.arange(categories)
        counts = jnp.where(one_hot, jax.random.poisson(count_key, 5.0, one_hot.shape), 0)
        return jax.random.gamma(gamma_key, 1.0 + counts.astype(dtype))

    def numpy() -> object:
        return generator.noncentral_chisquare(2.0, noncentrality) / 2

    other = {"numpy noncentral_chisquare": numpy, "jax.random.gamma": lambda: plain(key)}[rival]
    return f"noise_tokens, n = {categories}, {dtype} | {rival}", lambda: run(key), other, count


def density(count: int, dtype: str, rival: str) -> Contest:
    """Log density and score against one call of scipy's ive, or all of scipy's ncx2.logpdf."""
    values = np.random.default_rng(0).gamma(2.0, size=count)
    y = jnp.asarray(values, dtype)

    @jax.jit
    def run(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pull = jax.vjp(lambda y: transition_log_prob(y, 1.3, 1.7, 0.4), y)
        return value, pull(jnp.ones_like(value))[0]

    noise = -np.expm1(-0.4)
    z = 2 / noise * np.sqrt(1.3 * np.exp(-0.4) * values)
    others = {
        "scipy ive": lambda: special.ive(0.7, z),
        "scipy ncx2.logpdf": lambda: stats.ncx2.logpdf(2 / noise * values, 3.4, 2.6 * np.exp(-0.4) / noise),
    }
    return f"log density and score, {dtype} | {rival}", lambda: run(y), others[rival], count


def contest(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median seconds of each and of their ratio, alternating."""
    jax.block_until_ready(ours())
    jax.block_until_ready(theirs())
    times = np.empty((rounds, 2))
    for row in times:
        for column, run in enumerate((ours, theirs)):
            begin = time.perf_counter()
            jax.block_until_ready(run())
            row[column] = time.perf_counter() - begin
    return float(np.median(times[:, 0])), float(np.median(times[:, 1])), float(np.median(times[:, 1] / times[:, 0]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed of the process beside NumPy, SciPy and plain JAX.")
    parser.add_argument("--count", type=int, default=1_000_000, help="elements of each call")
    parser.add_argument("--rounds", type=int, default=9, help="alternating repetitions")
    options = parser.parse_args()
    count = options.count
    print(f"{'ours | theirs':<70} {'ours ns':>8} {'theirs ns':>9} {'ratio':>6}")
    for dtype in ("float64", "float32"):
        with jax.enable_x64(dtype == "float64"):
            contests = [draws(a, count, dtype) for a in (0.2, 0.7, 1.0, 1.3, 2.5, 30.0)]
            contests += [
                noising(count, 32, dtype, rival) for rival in ("numpy noncentral_chisquare", "jax.random.gamma")
            ]
            contests += [density(count // 4, dtype, rival) for rival in ("scipy ive", "scipy ncx2.logpdf")]
            for name, ours, theirs, size in contests:
                first, second, ratio = contest(ours, theirs, options.rounds)
                print(f"{name:<70} {first / size * 1e9:8.1f} {second / size * 1e9:9.1f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
