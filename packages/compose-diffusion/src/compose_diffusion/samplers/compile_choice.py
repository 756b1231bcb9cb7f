"""Which runs compile the MCMC steps of an exact composition without being asked to, see `compilation`."""

import importlib
from collections.abc import Sequence

from torch import Tensor

from compose_diffusion.algebra.composition import Expression
from compose_diffusion.algebra.leaves import ExactLeaf
from compose_diffusion.config.samplers import SamplerOptions
from compose_diffusion.data.distributions import RowwiseDistribution
from compose_diffusion.diffusion import NoiseSchedule
from compose_diffusion.mcmc.level_steps import runs_mcmc

# Estimates for the eager evaluation of an exact composition: time of a call (about 150 small operations a step) and
# of a sample (6.7 million gradients a second), from the tables of benchmarks/README.md; only their order of magnitude
# matters. There compilation takes 5 to 23 seconds and about halves the time.
SECONDS_PER_CALL = 3e-4
SECONDS_PER_SAMPLE = 1.5e-7
WORTH_SECONDS = 40.0


def worth_compiling(
    expression: Expression, start: Tensor | Sequence[int], schedule: NoiseSchedule, options: SamplerOptions
) -> bool:
    """Whether the MCMC steps of a run would take so long that their compilation saves time.

    A function of the arguments only: equal runs are compiled equally.
    """
    if options.method not in ("annealed", "reverse-mcmc"):
        return False
    leaves = expression.leaves()
    exact = all(isinstance(leaf, ExactLeaf) and isinstance(leaf.distribution, RowwiseDistribution) for leaf in leaves)
    if not leaves or not exact or len({leaf.distribution.dim for leaf in leaves}) != 1:  # pyright: ignore[reportAttributeAccessIssue]
        return False
    per_step = options.num_leapfrog if options.kernel in ("uhmc", "hmc") else 1
    calls = per_step * options.steps_per_level * sum(runs_mcmc(t, options) for t in range(len(schedule)))
    batch = len(start) if isinstance(start, Tensor) else start[0]
    return calls * (SECONDS_PER_CALL + SECONDS_PER_SAMPLE * batch) > WORTH_SECONDS


def compiled_once(expression: Expression) -> Expression:
    """`compiled(expression)`, kept in the expression itself, so that a second run needs no second compilation."""
    kept = vars(expression)
    if "_compiled" not in kept:
        # Imported when used: it loads a large part of torch.
        kept["_compiled"] = importlib.import_module("compose_diffusion.samplers.compilation").compiled(expression)
    return kept["_compiled"]
