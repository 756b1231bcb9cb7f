"""How time and peak memory grow with the size B L n of a batch: noising, posterior and score, ancestral step, bound.

    python bench_scaling.py [--quick] [--output scaling.json]

Every size and operation runs in a process of its own, which measures its own peak. Exponents are slopes of log time
over log size; 1 is linear. The largest case is a million categories at 64 positions, whose vectors alone are 256 MB.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onepaper.benchmark import log_slope, peak_bytes, pin, run_script, single_threaded, write_result
from peers import PACKAGES

OPERATIONS = ("noising", "posterior and score", "ancestral step", "bound")
SIZES = ((64, 1_000), (64, 10_000), (64, 100_000), (64, 1_000_000))


def measure(operation: str, positions: int, categories: int) -> dict[str, float]:
    """Seconds of one call, the smallest of a few, and the peak of the process in bytes."""
    pin()
    import jax
    import jax.numpy as jnp

    from simplex_cir.diffusion.likelihood import integrand
    from simplex_cir.diffusion.posterior import log_posterior, scaled_score
    from simplex_cir.diffusion.reverse import ancestral_step
    from simplex_cir.process.cir import noise_tokens

    key, m = jax.random.key(0), jnp.asarray(30.0)
    tokens = jnp.arange(positions) % categories

    def posterior(v: jax.Array) -> jax.Array:
        return log_posterior(jnp.zeros(()), v, m)

    calls: dict[str, Callable[[jax.Array], jax.Array]] = {
        "noising": lambda _: noise_tokens(key, tokens, categories, 1.0, m),
        "posterior and score": lambda v: scaled_score(jnp.exp(posterior(v)), v, m),
        "ancestral step": lambda v: ancestral_step(key, tokens, v, m, 1.5 * m),
        "bound": lambda v: integrand(posterior(v), tokens, v, m),
    }
    call = jax.jit(calls[operation])
    # The vectors are an argument of all but the first.
    v = jnp.zeros(()) if operation == "noising" else noise_tokens(key, tokens, categories, 1.0, m)
    jax.block_until_ready(call(v))
    seconds = []
    for _ in range(3 if positions * categories > 1e7 else 20):
        begun = time.perf_counter()
        jax.block_until_ready(call(v))
        seconds.append(time.perf_counter() - begun)
    return {"seconds": min(seconds), "peak_bytes": peak_bytes()}


def main() -> None:
    """Measure, print as Markdown, write as JSON where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the largest size")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--case", nargs=3, metavar=("OPERATION", "POSITIONS", "CATEGORIES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        operation, positions, categories = options.case
        print(json.dumps(measure(operation, int(positions), int(categories))))
        return
    rows: list[dict[str, Any]] = []
    print("| operation | positions | categories | ms | ns an entry | peak GB |\n|---|---|---|---|---|---|")
    for operation in OPERATIONS:
        for positions, categories in SIZES[: 3 if options.quick else 4]:
            row = {"operation": operation, "positions": positions, "categories": categories}
            row |= run_script(__file__, ["--case", operation, str(positions), str(categories)], single_threaded())
            rows.append(row)
            print(
                f"| {operation} | {positions} | {categories:,} | {row['seconds'] * 1e3:.2f} | "
                f"{row['seconds'] / positions / categories * 1e9:.1f} | {row['peak_bytes'] / 1e9:.2f} |",
                flush=True,
            )
    exponents = {}
    for operation in OPERATIONS:
        chosen = [row for row in rows if row["operation"] == operation]
        exponents[operation] = log_slope([row["categories"] for row in chosen], [row["seconds"] for row in chosen])
    print("\ntime grows as the power " + ", ".join(f"{power:.2f} ({name})" for name, power in exponents.items()))
    write_result(options.output, {"threads": 1, "rows": rows, "exponents": exponents}, PACKAGES)


if __name__ == "__main__":
    main()
