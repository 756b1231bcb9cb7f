"""Time to an equal error: exact steps beside Euler's method of ours, diffrax and torchsde.

    python bench_sampling.py [--quick] [--rounds N] [--output sampling.json]

Forward: 20,000 draws of the process from 3 at b t = 0.5, shape 1.3, to a Kolmogorov-Smirnov distance from the exact
distribution, on average over seeds, below that of as many exact draws plus 0.005. Reverse: 20,000 tokens of a prior
over four categories from noise, with the exact score, to a total variation below that of as many exact tokens plus
0.005. All integrate the same equations (the reverse one in v and log m; negative values are reflected or cut off) in
float32 on one thread, and each method doubles its steps until the distance is reached. Methods alternate, each in a
process of its own. The time is that of the drawing, compiled before: the smallest of three.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onepaper.benchmark import median_ratio, pin, write_result
from peers import PACKAGES, available, measure_all
from scipy import stats

COUNT, PRIOR = 20_000, np.array([0.6, 0.25, 0.1, 0.05])
A, START, ELAPSED = 1.3, 3.0, 0.5
LOWEST, HIGHEST = 1e-3, 60.0
MARGIN, SEEDS, MOST_STEPS = 0.005, 5, 1024
# From a number of steps, a function from a seed to draws.
Method = Callable[[int], Callable[[int], np.ndarray]]


def exact_forward(_: int) -> Callable[[int], np.ndarray]:
    """Our exact transition: one step."""
    import jax
    import jax.numpy as jnp

    from simplex_cir.process.cir import transition_sample

    run = jax.jit(lambda key: transition_sample(key, jnp.full(COUNT, START), A, ELAPSED))
    return lambda seed: np.asarray(run(jax.random.key(seed)))


def euler_forward(steps: int) -> Callable[[int], np.ndarray]:
    """Our own reflected Euler, one scan."""
    import jax
    import jax.numpy as jnp

    from simplex_cir.process.schemes import simulate

    grid = np.linspace(0, ELAPSED, steps + 1)
    run = jax.jit(lambda key: simulate(key, jnp.full(COUNT, START), A, grid, "euler-reflected")[-1])
    return lambda seed: np.asarray(run(jax.random.key(seed)))


def diffrax_forward(steps: int) -> Callable[[int], np.ndarray]:
    """diffrax's Euler with noise of independent increments, its faster kind."""
    import jax
    import jax.numpy as jnp

    run = jax.jit(
        lambda key: _diffrax(
            key, jnp.full(COUNT, START), lambda t, y, _: A - y, lambda y: jnp.sqrt(2 * y), (0.0, ELAPSED), steps
        )
    )
    return lambda seed: np.asarray(run(jax.random.key(seed)))


def _diffrax(key: Any, start: Any, drift: Any, spread: Any, times: tuple[float, float], steps: int) -> Any:
    import diffrax
    import jax
    import jax.numpy as jnp
    import lineax

    noise = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct(start.shape, start.dtype), key)

    def diffusion(t: Any, y: Any, _: Any) -> Any:
        return lineax.DiagonalLinearOperator(spread(jnp.maximum(y, 0.0)))

    terms = diffrax.MultiTerm(
        diffrax.ODETerm(lambda t, y, args: drift(t, jnp.maximum(y, 0.0), args)),
        diffrax.ControlTerm(diffusion, noise),
    )
    step = (times[1] - times[0]) / steps
    solution = diffrax.diffeqsolve(
        terms, diffrax.Euler(), times[0], times[1], step, start, saveat=diffrax.SaveAt(t1=True), max_steps=steps + 1,
        adjoint=diffrax.DirectAdjoint(),
    )  # fmt: skip
    return jnp.maximum(solution.ys[0], 0.0)


def torchsde_forward(steps: int) -> Callable[[int], np.ndarray]:
    """torchsde's Euler."""
    import torch

    class Process(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return A - y.clamp(min=0)

        def g(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return (2 * y.clamp(min=0)).sqrt()

    return lambda seed: _torchsde(Process(), torch.full((COUNT, 1), START), (0.0, ELAPSED), steps, seed)[:, 0]


def _torchsde(process: Any, start: Any, times: tuple[float, float], steps: int, seed: int) -> np.ndarray:
    import torch
    import torchsde

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    with torch.no_grad():
        path = torchsde.sdeint(process, start, torch.tensor(times), dt=(times[1] - times[0]) / steps, method="euler")
    return path[-1].clamp(min=0).numpy()


def numpy_forward(_: int) -> Callable[[int], np.ndarray]:
    """NumPy's non-central chi-squared: exact."""
    noise = -np.expm1(-ELAPSED)
    scale, noncentrality = noise / 2, 2 * START * np.exp(-ELAPSED) / noise
    return lambda seed: scale * np.random.default_rng(seed).noncentral_chisquare(2 * A, noncentrality, COUNT)


def quantlib_forward(_: int) -> Callable[[int], np.ndarray]:
    """QuantLib's inverse distribution function, one number at a time; timed on 500 draws and scaled up."""
    import QuantLib as ql

    noise = -np.expm1(-ELAPSED)
    inverse = ql.InverseNonCentralCumulativeChiSquareDistribution(
        2 * A, float(2 * START * np.exp(-ELAPSED) / noise), 200
    )
    return lambda seed: noise / 2 * np.array([inverse(u) for u in np.random.default_rng(seed).random(500).tolist()])


def ours_reverse(sampler: str) -> Method:
    """Our ancestral sampler or one of our schemes."""

    def method(steps: int) -> Callable[[int], np.ndarray]:
        import jax

        from simplex_cir.diffusion.priors import IndependentPrior
        from simplex_cir.diffusion.reverse import ancestral, noise, reverse_sde
        from simplex_cir.diffusion.snr import snr_grid

        oracle, grid = IndependentPrior(PRIOR), snr_grid(steps, lowest=LOWEST, highest=HIGHEST)

        @jax.jit
        def run(key: jax.Array) -> jax.Array:
            start_key, key = jax.random.split(key)
            v = noise(start_key, (COUNT, 4))
            if sampler == "ancestral":
                return ancestral(key, oracle, v, grid)[0]
            return reverse_sde(key, oracle, v, grid, scheme=sampler)[0]

        return lambda seed: np.asarray(run(jax.random.key(seed)))

    return method


def diffrax_reverse(steps: int) -> Callable[[int], np.ndarray]:
    """diffrax's Euler on the reverse SDE in v and log m, score by our exact posterior."""
    import jax
    import jax.numpy as jnp

    from simplex_cir.diffusion.priors import IndependentPrior
    from simplex_cir.diffusion.reverse import noise, reverse_drift

    oracle, times = IndependentPrior(PRIOR), (float(np.log(LOWEST)), float(np.log(HIGHEST)))

    def drift(t: Any, v: Any, _: Any) -> Any:
        return reverse_drift(jnp.exp(oracle(v, jnp.exp(t))), v, jnp.exp(t))

    @jax.jit
    def run(key: jax.Array) -> jax.Array:
        start_key, key = jax.random.split(key)
        v = _diffrax(key, noise(start_key, (COUNT, 4)), drift, lambda v: jnp.sqrt(2 * v), times, steps)
        return oracle(v, HIGHEST).argmax(-1)

    return lambda seed: np.asarray(run(jax.random.key(seed)))


def torchsde_reverse(steps: int) -> Callable[[int], np.ndarray]:
    """torchsde's Euler on the same equation; for a = 1 its score needs I_0 and I_1, which torch has."""
    import torch

    log_prior = torch.log(torch.tensor(PRIOR, dtype=torch.float32))

    class Reverse(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def posterior(self, z: torch.Tensor) -> torch.Tensor:
            return torch.softmax(log_prior + torch.log(torch.special.i0e(z)) + z, dim=-1)

        def f(self, t: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            v = v.clamp(min=0)
            z = 2 * (t.exp() * v).sqrt()
            return 1 - v + self.posterior(z) * z * torch.special.i1e(z) / torch.special.i0e(z)

        def g(self, t: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return (2 * v.clamp(min=0)).sqrt()

    def run(seed: int) -> np.ndarray:
        start = torch.tensor(np.random.default_rng(seed).exponential(size=(COUNT, 4)), dtype=torch.float32)
        v = _torchsde(Reverse(), start, (float(np.log(LOWEST)), float(np.log(HIGHEST))), steps, seed)
        return (np.log(PRIOR) + _log_i0(2 * np.sqrt(HIGHEST * v))).argmax(axis=-1)

    return run


def _log_i0(z: np.ndarray) -> np.ndarray:
    from scipy import special

    return np.log(special.i0e(z)) + z


CONTESTANTS: dict[str, tuple[Method, bool]] = {
    "forward: ours, exact": (exact_forward, True),
    "forward: numpy, exact": (numpy_forward, True),
    "forward: QuantLib, inverse, scalar": (quantlib_forward, True),
    "forward: ours, Euler": (euler_forward, False),
    "forward: diffrax, Euler": (diffrax_forward, False),
    "forward: torchsde, Euler": (torchsde_forward, False),
    "reverse: ours, ancestral": (ours_reverse("ancestral"), True),
    "reverse: ours, Euler": (ours_reverse("euler-truncated"), False),
    "reverse: ours, implicit root": (ours_reverse("implicit-root"), False),
    "reverse: diffrax, Euler": (diffrax_reverse, False),
    "reverse: torchsde, Euler": (torchsde_reverse, False),
}


def error(name: str, draws: np.ndarray) -> float:
    """Distance of the draws from their distribution minus the mean distance of as many exact draws."""
    if name.startswith("forward"):
        noise = -np.expm1(-ELAPSED)
        law = stats.ncx2(2 * A, 2 * START * np.exp(-ELAPSED) / noise, scale=noise / 2)
        # 0.8687 / sqrt(n) is the mean of the statistic of n exact draws.
        return float(stats.kstest(draws, law.cdf).statistic) - 0.8687 / len(draws) ** 0.5
    shares = np.random.default_rng(0).multinomial(len(draws), PRIOR, size=400) / len(draws)
    floor = 0.5 * np.abs(shares - PRIOR).sum(axis=1).mean()
    found = np.bincount(draws, minlength=len(PRIOR)) / len(draws)
    return float(0.5 * np.abs(found - PRIOR).sum() - floor)


def measure(name: str) -> dict[str, float]:
    """The fewest steps, of doubling numbers, with an error below the margin; and what they cost."""
    pin()
    method, is_exact = CONTESTANTS[name]
    steps = 1 if is_exact else 2
    while True:
        run = method(steps)
        found = float(np.mean([error(name, run(seed)) for seed in range(SEEDS)]))
        if found < MARGIN or steps >= MOST_STEPS or is_exact:
            break
        steps *= 2
    seconds = []
    for seed in range(3):
        begun = time.perf_counter()
        draws = run(seed)
        seconds.append((time.perf_counter() - begun) * COUNT / len(draws))
    return {"steps": steps, "error": found, "seconds": min(seconds)}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        print(json.dumps(measure(options.contestant)))
        return
    absent = [module for module in ("torchsde", "QuantLib") if not available(module)]
    names = [name for name in CONTESTANTS if not any(module in name for module in absent)]
    times = measure_all(__file__, names, 1 if options.quick else options.rounds)
    rows = []
    print("| what | steps | error above exact draws | ms | times ours |\n|---|---|---|---|---|")
    for name in names:
        mine = "forward: ours, exact" if name.startswith("forward") else "reverse: ours, ancestral"
        first, second = ([answer["seconds"] for answer in times[each]] for each in (mine, name))
        row: dict[str, Any] = {"what": name, **times[name][-1], "seconds": float(np.median(second))}
        row["ratio"] = median_ratio(second, first)
        rows.append(row)
        reached = "" if row["error"] < MARGIN or row["steps"] == 1 else " (not reached)"
        gap = f"{row['error']:+.4f}{reached}"
        print(f"| {name} | {row['steps']} | {gap} | {row['seconds'] * 1e3:.2f} | {row['ratio']:.1f} |")
    result = {"threads": 1, "count": COUNT, "margin": MARGIN, "rows": rows, "times": times}
    write_result(options.output, result, PACKAGES)


if __name__ == "__main__":
    main()
