"""Speed of exact draws, forward noising, densities and squared Ornstein-Uhlenbeck sums beside NumPy, SciPy, QuantLib.

    python bench_process.py [--quick] [--rounds N] [--output process.json]

One thread, one core. Methods alternate, each time in a process of its own; a time is the smallest of many
repetitions of one call that fits a cache, so that other work of the machine has little influence. The table has medians
over rounds.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from onepaper.benchmark import median_ratio, pin, write_result
from peers import PACKAGES, available, measure_all

COUNT, SHAPES, DTYPES = 32_768, (0.2, 0.7, 1.0, 1.3, 2.5, 30.0), ("float64", "float32")
START, ELAPSED, SNR, CATEGORIES = 3.0, 0.5, 5.0, 32
NOISE = -np.expm1(-ELAPSED)
NONCENTRALITY = 2 * START * np.exp(-ELAPSED) / NOISE
Timed = dict[str, Callable[[], object]]


def ours(dtype: str, impl: str) -> Timed:
    """Ours in a precision, with keys of a kind, called as documented; the array of starts makes no use of being
    constant. Only the density with its gradient is compiled as a whole."""
    import jax
    import jax.numpy as jnp

    from simplex_cir.process.cir import noise_tokens, transition_log_prob, transition_sample
    from simplex_cir.process.squared_ou import squared_ou_sample

    jax.config.update("jax_enable_x64", dtype == "float64")
    key, start = jax.random.key(0, impl=impl), jnp.full(COUNT, START, dtype)
    tokens, snr = jnp.zeros(COUNT // CATEGORIES, int), jnp.asarray(SNR, dtype)
    values = jnp.asarray(np.random.default_rng(0).gamma(2.0, size=COUNT), dtype)

    def run(function: Callable[..., Any], *arguments: Any) -> Callable[[], object]:
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(*arguments))

    def both(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pull = jax.vjp(lambda y: transition_log_prob(y, 1.3, 1.7, 0.4), y)
        return value, pull(jnp.ones_like(value))[0]

    def wait(call: Callable[[], Any]) -> Callable[[], object]:
        return lambda: jax.block_until_ready(call())

    timed: Timed = {
        f"exact draws, a = {a}": wait(lambda a=a: transition_sample(key, start, a, ELAPSED)) for a in SHAPES
    }
    timed["one-hot noising"] = wait(lambda: noise_tokens(key, tokens, CATEGORIES, 1.0, snr))
    timed["log density and score"] = run(both, values)
    for d in (1, 2, 3, 8):
        timed[f"squared OU, d = {d}"] = run(lambda key, d=d: squared_ou_sample(key, start, d, ELAPSED), key)
        timed[f"transition, a = {d / 2}"] = run(lambda key, d=d: transition_sample(key, start, d / 2, ELAPSED), key)
    return timed


def jax_gamma(dtype: str) -> Timed:
    """Forward noising as one would write it with jax.random: Poisson counts, then Gamma variates."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", dtype == "float64")
    one_hot = jnp.arange(CATEGORIES) == jnp.zeros((COUNT // CATEGORIES, 1), int)

    @jax.jit
    def noise(key: jax.Array) -> jax.Array:
        count_key, gamma_key = jax.random.split(key)
        counts = jnp.where(one_hot, jax.random.poisson(count_key, SNR, one_hot.shape), 0)
        return jax.random.gamma(gamma_key, 1.0 + counts.astype(dtype))

    key = jax.random.key(0)
    return {"one-hot noising": lambda: jax.block_until_ready(noise(key))}


def numpy(generator: np.random.Generator) -> Timed:
    """NumPy's non-central chi-squared, float64 only."""
    timed: Timed = {
        f"exact draws, a = {a}": lambda a=a: generator.noncentral_chisquare(2 * a, NONCENTRALITY, COUNT) * (NOISE / 2)
        for a in SHAPES
    }
    one_hot = np.zeros((COUNT // CATEGORIES, CATEGORIES))
    one_hot[:, 0] = 2 * SNR
    timed["one-hot noising"] = lambda: generator.noncentral_chisquare(2.0, one_hot) / 2
    return timed


def scipy() -> Timed:
    """One call of ive, which a density needs one of and a score two; all of ncx2; ncx2's draws."""
    from scipy import special, stats

    values, lost = np.random.default_rng(0).gamma(2.0, size=COUNT), -np.expm1(-0.4)
    z = 2 / lost * np.sqrt(1.3 * np.exp(-0.4) * values)
    timed: Timed = {
        f"exact draws, a = {a}": lambda a=a: stats.ncx2.rvs(2 * a, NONCENTRALITY, size=COUNT) * (NOISE / 2)
        for a in SHAPES
    }
    timed["log density and score"] = lambda: (special.ive(0.7, z), special.ive(1.7, z))
    return timed


def quantlib() -> Timed:
    """QuantLib's inverse distribution function at uniform numbers: one number at a time, from Python."""
    import QuantLib as ql

    uniform = np.random.default_rng(0).random(256).tolist()
    timed: Timed = {}
    for a in SHAPES:
        inverse = ql.InverseNonCentralCumulativeChiSquareDistribution(2 * a, float(NONCENTRALITY), 200)
        timed[f"exact draws, a = {a}"] = lambda inverse=inverse: [inverse(u) for u in uniform]
    return timed


CONTESTANTS: dict[str, Callable[[], Timed]] = {
    "ours float64": lambda: ours("float64", "threefry2x32"),
    "ours float32": lambda: ours("float32", "threefry2x32"),
    "ours float64, rbg": lambda: ours("float64", "unsafe_rbg"),
    "jax.random.gamma float32": lambda: jax_gamma("float32"),
    "jax.random.gamma float64": lambda: jax_gamma("float64"),
    "numpy PCG64": lambda: numpy(np.random.Generator(np.random.PCG64(0))),
    "numpy Philox": lambda: numpy(np.random.Generator(np.random.Philox(0))),
    "scipy": scipy,
    "QuantLib (scalar)": quantlib,
}


def measure(name: str, seconds: float) -> dict[str, float]:
    """Nanoseconds per element of each call, the smallest of as many repetitions as fit into the time."""
    pin()
    size = 256 if name.startswith("QuantLib") else COUNT
    results = {}
    for what, call in (CONTESTANTS | PROFILES)[name]().items():
        call()
        best, begun = np.inf, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            before = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - before)
        results[what] = best / size * 1e9
    return results


def table(times: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """A row for each quantity and pair of ours and a peer, printed as it is made."""
    rows = []
    print("| what | ours | ns | peer | ns | ratio |\n|---|---|---|---|---|---|")
    for mine in (name for name in times if name.startswith("ours")):
        for what in times[mine][0]:
            for peer in (name for name in times if not name.startswith("ours") and what in times[name][0]):
                if peer.startswith("jax") and mine.split()[1].rstrip(",") != peer.split()[-1]:
                    continue
                first, second = ([answer[what] for answer in times[name]] for name in (mine, peer))
                row = {"what": what, "ours": mine, "ns": float(np.median(first)), "peer": peer}
                row |= {"peer_ns": float(np.median(second)), "ratio": median_ratio(second, first)}
                rows.append(row)
                print(f"| {what} | {mine} | {row['ns']:.1f} | {peer} | {row['peer_ns']:.1f} | {row['ratio']:.2f} |")
    return rows


def pieces(dtype: str) -> Timed:
    """What a draw is made of: random bits, logarithms, a normal, a whole proposal."""
    import jax
    import jax.numpy as jnp

    from simplex_cir.random.uniform import exponential, log_positive, normal_pair, uniforms
    from simplex_cir.random.variates import gamma_above_one

    jax.config.update("jax_enable_x64", dtype == "float64")
    key, kind, x = jax.random.key(0), jnp.dtype(dtype), jnp.asarray(np.random.default_rng(0).random(COUNT), dtype)
    functions: dict[str, tuple[Callable[..., Any], Any]] = {
        "one uniform": (lambda key: uniforms(key, 1, (COUNT,), kind)[0], key),
        "jax.random.bits": (lambda key: jax.random.bits(key, (COUNT,), f"uint{8 * kind.itemsize}"), key),
        "logarithm": (log_positive, x),
        "the compiler's logarithm": (jnp.log, x),
        "exponential": (lambda key: exponential(uniforms(key, 1, (COUNT,), kind)[0]), key),
        "normal": (lambda key: normal_pair(*uniforms(key, 2, (COUNT,), kind))[0], key),
        "Gamma proposal": (lambda key: gamma_above_one(uniforms(key, 3, (COUNT,), kind), 2.0 + 0 * x)[0], key),
    }

    def run(function: Callable[..., Any], argument: Any) -> Callable[[], object]:
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(argument))

    return {name: run(*pair) for name, pair in functions.items()}


PROFILES: dict[str, Callable[[], Timed]] = {f"pieces {dtype}": partial(pieces, dtype) for dtype in DTYPES}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of short repetitions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4, help="of repetitions of each call")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--profile", action="store_true", help="what bounds a draw, instead of the comparison")
    parser.add_argument("--contestant", choices=[*CONTESTANTS, *PROFILES], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.1
    if options.contestant:
        print(json.dumps(measure(options.contestant, options.seconds)))
        return
    arguments = ["--seconds", str(options.seconds)]
    if options.profile:
        for name, answers in measure_all(__file__, list(PROFILES), 1, arguments).items():
            print(f"{name}: " + ", ".join(f"{what} {value:.2f} ns" for what, value in answers[0].items()))
        return
    names = [name for name in CONTESTANTS if not name.startswith("QuantLib") or available("QuantLib")]
    times = measure_all(__file__, names, options.rounds, arguments)
    rows = table(times)
    for dtype in DTYPES:
        found = times[f"ours {dtype}"]
        ratios = [
            f"d = {d}: {np.median([t[f'squared OU, d = {d}'] / t[f'transition, a = {d / 2}'] for t in found]):.2f}"
            for d in (1, 2, 3, 8)
        ]
        print(f"\nsquared Ornstein-Uhlenbeck sums take, {dtype}, in draws of the transition: {', '.join(ratios)}")
    result = {"threads": 1, "rounds": options.rounds, "rows": rows, "times": times}
    write_result(options.output, result, PACKAGES)


if __name__ == "__main__":
    main()
