"""The verb `simulate`: exact trajectories of the process from a token to noise, on the simplex."""

import jax
import jax.numpy as jnp
import numpy as np
from onepaper.display.file_bytes import figure_png, npz_bytes
from onepaper.display.plots import lines
from onepaper.jax.accelerator import use_device
from onepaper.paper import Invocation
from onepaper.runs import write_atomic

from simplex_cir.cli.options import SimulateOptions
from simplex_cir.experiments.figures import ternary
from simplex_cir.process.trajectories import trajectories


def simulate_verb(call: Invocation) -> None:
    """Write `trajectories.npz` and `trajectories.png`: a triangle for three categories, else the share of the token."""
    options: SimulateOptions = call.options
    use_device(options)
    if options.dry_run:
        print(f"would draw {options.paths} paths over {options.steps} steps")
        return
    a = jnp.asarray(options.alpha)
    start = jnp.zeros((options.paths, len(a))).at[:, options.token].set(options.mass)
    paths = trajectories(jax.random.key(options.seed), start, a, options.speed * options.time, options.steps)
    y, x = map(np.asarray, paths)
    times = np.linspace(0, options.time, options.steps + 1)
    limit = options.alpha[options.token] / sum(options.alpha)
    if len(a) == 3:
        figure = ternary(x, title=f"alpha = {', '.join(f'{value:g}' for value in options.alpha)}")
    else:
        # Paths are alike: none is named in a legend.
        shares = {f"_{index}": (times, row) for index, row in enumerate(x[:, :, options.token])}
        figure = lines(
            shares, "time t", f"share of token {options.token}", reference=("mean in the limit of long times", limit)
        )
    with call.open_run() as run:
        write_atomic(run.folder / "trajectories.png", figure_png(figure))
        write_atomic(run.folder / "trajectories.npz", npz_bytes(y=y, x=x, times=times))
    share = x[:, -1, options.token].mean()
    print(f"share of token {options.token} at the end: {share:.3f} on average; in the limit: {limit:.3f}")
    print(f"figure: {run.folder / 'trajectories.png'}")
