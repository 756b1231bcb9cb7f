"""The verb `simulate`: exact trajectories of the process from a token to noise, on the simplex."""

import io

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from simplex_cir.config import SimulateOptions
from simplex_cir.figures import lines, png, ternary
from simplex_cir.variates import log_gamma_sample, poisson_sample


def trajectories(
    key: PRNGKeyArray, start: Float[Array, "paths n"], a: Float[Array, " n"], elapsed: float, steps: int
) -> tuple[Float[Array, "paths levels n"], Float[Array, "paths levels n"]]:
    """Paths of the process and of its shares at `steps` + 1 evenly spaced times, by exact transitions (eqs. 7 to 10).

    Draws are made as logarithms: of shapes near 0 all coordinates of a vector may be below the smallest number, where
    their shares are still known.

    Args:
        start: Y_0, entries >= 0, at least one above.
        a: stationary shapes.
        elapsed: b t of the last point.
        steps: transitions.

    Returns:
        Y and X = Y / sum Y.
    """
    kappa, lost = jnp.exp(-elapsed / steps), -jnp.expm1(-elapsed / steps)

    def step(log_y: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        count_key, gamma_key = jax.random.split(key)
        counts = poisson_sample(count_key, kappa / lost * jnp.exp(log_y))
        log_y = jnp.log(lost) + log_gamma_sample(gamma_key, a + counts)
        return log_y, log_y

    log_start = jnp.log(start)
    _, path = jax.lax.scan(step, log_start, jax.random.split(key, steps))
    log_path = jnp.moveaxis(jnp.concatenate([log_start[None], path]), 0, 1)
    return jnp.exp(log_path), jax.nn.softmax(log_path, axis=-1)


def simulate_verb(call: Invocation) -> None:
    """Writes `trajectories.npz` and `trajectories.png`: a triangle for three categories, else the token's share."""
    options: SimulateOptions = call.options
    use_device(options)
    if options.dry_run:
        print(f"would follow {options.paths} paths over {options.steps} steps")
        return
    a = jnp.asarray(options.alpha)
    start = jnp.zeros((options.paths, len(a))).at[:, options.token].set(options.mass)
    paths = trajectories(jax.random.key(options.seed), start, a, options.speed * options.time, options.steps)
    y, x = map(np.asarray, paths)
    times = np.linspace(0, options.time, options.steps + 1)
    if len(a) == 3:
        figure = ternary(x, title=f"alpha = {', '.join(f'{value:g}' for value in options.alpha)}")
    else:
        shares = {f"path {index + 1}": (times, row) for index, row in enumerate(x[:, :, options.token])}
        figure = lines(shares, "time", f"share of token {options.token}")
    arrays = io.BytesIO()
    np.savez_compressed(arrays, y=y, x=x, times=times)
    with call.open_run() as run:
        write_atomic(run.folder / "trajectories.png", png(figure))
        write_atomic(run.folder / "trajectories.npz", arrays.getvalue())
    share, law = x[:, -1, options.token].mean(), options.alpha[options.token] / sum(options.alpha)
    print(f"share of token {options.token} at the end: {share:.3f} on average; of the Dirichlet law: {law:.3f}")
    print(f"picture: {run.folder / 'trajectories.png'}")
